//! The main job: predict the fuel economy of cars, compare with least squares, draw the result.
//!
//! ```text
//! cargo run --release --example train_regressor   # writes train_regressor.svg
//! ```

use geartrain::data::{Csv, Scaling};
use geartrain::prelude::*;
use geartrain::{metrics, train::History};
use ndarray::Array2;
use plotters::prelude::*;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    // 1. 392 cars, seven numbers about each. A fifth of them is held out as test rows.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/auto-mpg.csv");
    let cars = Dataset::<f64>::from_csv(path, &Csv::new("mpg").drop_columns(["name"]))?;
    let (train, test) = cars.split(0.2, 7)?;

    // 2. Scale every column to mean 0 and standard deviation 1 over the training rows.
    let scaling = Scaling::fit(&train)?;
    let (train, watched): (Dataset<f32>, Dataset<f32>) = (scaling.apply(&train)?, scaling.apply(&test)?);

    // 3. Train a network of two hidden layers.
    let block = |inputs| Sequential::new().then(Linear::new(inputs, 64)).then(Tanh);
    let mut network = Network::new(block(7).then(block(64)).then(Linear::new(64, 1)))?.with_seed(7);
    println!("{}", network.summary());
    let history = Training::new(MeanSquaredError, Sgd::new(0.002).momentum(0.9).weight_decay(0.002))
        .epochs(200)
        .batch_size(16)
        .seed(7)
        .validation(&watched)
        .fit(&mut network, &train)?;

    // 4. Test it on rows that it was not trained on, beside linear least squares.
    let unscale = |y: Array2<f64>| scaling.y().expect("a numeric target").inverse_transform(&y);
    let linear = unscale(watched.cast().x().dot(&least_squares(&train.cast())))?;
    let predicted = Predictor::new(network).with_scaling(scaling.clone())?.predict(test.x())?;
    println!("{:14}  {:>7}  {:>7}", "78 test rows", "R²", "RMSE");
    for (name, prediction) in [("network", &predicted), ("least squares", &linear)] {
        let r2 = metrics::r2(prediction, test.y())?;
        let rmse = metrics::root_mean_squared_error(prediction, test.y())?;
        println!("{name:14}  {r2:>7.4}  {rmse:>7.4} mpg");
    }

    draw(&history, &test, &predicted)?;
    println!("The picture is in train_regressor.svg");
    Ok(())
}

/// The weights `w` that minimise |x w − y|², by conjugate gradients on `xᵀx w = xᵀy`.
fn least_squares(data: &Dataset<f64>) -> Array2<f64> {
    let (gram, mut residual) = (data.x().t().dot(data.x()), data.x().t().dot(data.y()));
    let mut weights = Array2::zeros(residual.dim());
    let mut direction = residual.clone();
    for _ in 0..2 * data.features() {
        let (image, size) = (gram.dot(&direction), residual.pow2().sum());
        let step = size / (&direction * &image).sum().max(f64::MIN_POSITIVE);
        weights.scaled_add(step, &direction);
        residual.scaled_add(-step, &image);
        direction = &residual + direction * (residual.pow2().sum() / size.max(f64::MIN_POSITIVE));
    }
    weights
}

/// Left the loss curves, right predicted against actual numbers.
fn draw(history: &History, test: &Dataset<f64>, predicted: &Array2<f64>) -> Result<()> {
    let root = SVGBackend::new("train_regressor.svg", (1000, 480)).into_drawing_area();
    root.fill(&WHITE)?;
    let (left, right) = root.split_horizontally(500);
    let chart = |area, title, x, y| {
        ChartBuilder::on(area)
            .caption(title, ("sans-serif", 20))
            .margin(16)
            .x_label_area_size(40)
            .y_label_area_size(50)
            .build_cartesian_2d(x, y)
    };

    let mut losses = chart(&left, "Loss: training rows blue, test rows red", 0.0..200_f64, 0.0..0.5_f64)?;
    losses.configure_mesh().x_desc("epoch").y_desc("mean squared error").draw()?;
    for (values, colour) in [(history.train_losses(), BLUE), (history.validation_losses(), RED)] {
        let points = values.iter().enumerate().map(|(epoch, &loss)| (epoch as f64 + 1.0, loss));
        losses.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
    }

    let mut cars = chart(&right, "Miles per gallon of 78 test cars", 5.0..50_f64, 5.0..50_f64)?;
    cars.configure_mesh().x_desc("actual").y_desc("predicted").draw()?;
    cars.draw_series(LineSeries::new([(5.0, 5.0), (50.0, 50.0)], BLACK))?;
    let points =
        test.y().iter().zip(predicted).map(|(&actual, &predicted)| (actual, predicted)).collect::<Vec<_>>();
    cars.draw_series(points.into_iter().map(|point| Circle::new(point, 3, BLUE.filled())))?;
    root.present()?;
    Ok(())
}
