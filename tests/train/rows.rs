//! `fit_rows`: rows that are elsewhere.

use geartrain::data::{Dataset, Order, toy};
use geartrain::network::Workspace;
use geartrain::prelude::*;
use geartrain::train::Rows;
use ndarray::{Array2, ArrayView2, Axis};

/// The rows of a data set, gathered in a way of their own, in a process that does not write.
#[derive(Debug)]
struct Remote {
    data: Dataset<f64>,
    batch: [Array2<f64>; 2],
    /// The batch in which another process fails.
    failing: Option<usize>,
    stop_at: Option<usize>,
    loaded: usize,
}

impl Remote {
    fn new(data: &Dataset<f64>) -> Self {
        let batch = [Array2::zeros((0, 0)), Array2::zeros((0, 0))];
        Remote { data: data.clone(), batch, failing: None, stop_at: None, loaded: 0 }
    }
}

impl Rows<f64> for Remote {
    fn rows(&self) -> usize {
        self.data.rows()
    }

    fn fingerprint(&mut self) -> Result<String, Error> {
        Ok("remote rows".into())
    }

    fn check(&mut self, _: &Network<f64>, _: &dyn Loss<f64>, _: bool) -> Result<(), Error> {
        Ok(())
    }

    fn load(
        &mut self,
        order: &Order,
        index: usize,
        _: &Network<f64>,
        _: &dyn Loss<f64>,
    ) -> Result<(), Error> {
        self.loaded += 1;
        if self.failing == Some(self.loaded) {
            return Err(Error::Elsewhere { place: "rank 3".into(), message: "out of disk".into() });
        }
        let rows = order.rows(index);
        self.batch = [self.data.x(), self.data.y()].map(|all| all.select(Axis(0), rows));
        Ok(())
    }

    fn batch(&self) -> (ArrayView2<'_, f64>, ArrayView2<'_, f64>) {
        (self.batch[0].view(), self.batch[1].view())
    }

    fn gradients(
        &mut self,
        network: &Network<f64>,
        loss: &dyn Loss<f64>,
        workspace: &mut Workspace<f64>,
    ) -> Result<f64, Error> {
        network.gradients(loss, &self.batch[0], &self.batch[1], workspace, None)
    }

    fn predict(&self, network: &Network<f64>) -> Result<(Array2<f64>, Array2<f64>), Error> {
        Ok((network.predict(self.data.x())?, self.data.y().to_owned()))
    }

    fn stops(&mut self, stop: bool) -> bool {
        stop || self.stop_at.is_some_and(|batch| self.loaded >= batch)
    }

    fn writes(&self) -> bool {
        false
    }
}

fn network() -> Network<f64> {
    let layers = Sequential::new().then(Linear::new(1, 8)).then(Tanh).then(Linear::new(8, 1));
    Network::new(layers).unwrap().with_seed(3)
}

fn training<'a>() -> Training<'a, f64, MeanSquaredError, Adam<f64>> {
    Training::new(MeanSquaredError, Adam::new(0.01)).epochs(4).batch_size(16).progress(false)
}

#[test]
fn the_weights_and_the_history_do_not_depend_on_where_rows_are() {
    let (data, validation) = toy::sine::<f64>(100, 0.1, 1).unwrap().split(0.2, 1).unwrap();
    let metric = |output: &ndarray::ArrayRef2<f64>, target: &ndarray::ArrayRef2<f64>| {
        geartrain::metrics::mean_squared_error(output, target)
    };
    let weights: Vec<f64> = (0..data.rows()).map(|row| 0.5 + (row % 3) as f64).collect();
    for weighted in [false, true] {
        let with_options = || {
            let training = training().validation(&validation).metric("mse", metric);
            if weighted { training.sample_weights(&weights) } else { training }
        };
        let (mut here, mut elsewhere) = (network(), network());
        let expected = with_options().fit(&mut here, &data).unwrap();
        let history = with_options().fit_rows(&mut elsewhere, &mut Remote::new(&data)).unwrap();
        assert_eq!(history, expected);
        assert_eq!(elsewhere.params(), here.params());
    }
}

#[test]
fn an_error_of_another_process_ends_training() {
    let data = toy::sine::<f64>(64, 0.1, 1).unwrap();
    let mut rows = Remote { failing: Some(7), ..Remote::new(&data) };
    let mut training = training();
    let error = training.fit_rows(&mut network(), &mut rows).unwrap_err();
    assert_eq!(error.to_string(), "rank 3: out of disk");
    // four batches per epoch
    assert_eq!(training.history().epochs.len(), 1);
}

#[test]
fn a_process_that_does_not_write_writes_no_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let data = toy::sine::<f64>(64, 0.1, 1).unwrap();
    training().checkpoint(&path, 1).fit_rows(&mut network(), &mut Remote::new(&data)).unwrap();
    assert!(!path.exists());
}

#[test]
fn the_stop_flag_of_another_process_ends_training() {
    let data = toy::sine::<f64>(64, 0.1, 1).unwrap();
    let mut rows = Remote { stop_at: Some(5), ..Remote::new(&data) };
    let history = training().stop_flag(Default::default()).fit_rows(&mut network(), &mut rows).unwrap();
    assert_eq!((history.epochs.len(), rows.loaded), (1, 5));
}
