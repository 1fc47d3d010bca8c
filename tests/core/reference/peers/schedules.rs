//! Learning-rate schedules.

use geartrain::Error;
use geartrain::data::toy;
use geartrain::optim::schedule::*;
use geartrain::prelude::*;
use serde_json::Value;

use super::assert_expected;
use crate::fixture::*;

pub fn replay(case: &Value) {
    let hyper = &case["hyper"];
    let of = |name: &str| number(&hyper[name]);
    let epochs = |name: &str| count(&hyper[name]) as u64;
    let (base, schedule): (f64, Box<dyn Schedule>) = match text(&case["op"]) {
        "exp_decay" => (of("lr0"), Box::new(Exponential::new(of("rate")).every(of("decay_steps")))),
        "step_decay" => (of("lr0"), Box::new(Step::new(epochs("step_size"), of("gamma")))),
        "cosine_annealing" => (of("lr0"), Box::new(Cosine::new(epochs("num_iters")).min_rate(of("min_lr")))),
        // Keras stays at the smallest rate; PyTorch rises again.
        "cosine" => {
            let cosine = Cosine::new(epochs("decay_steps")).min_rate(of("alpha") * of("lr0"));
            (of("lr0"), Box::new(Chain::new(cosine).then(epochs("decay_steps"), Constant::new(of("alpha")))))
        }
        "cosine_warmup" => {
            let warm_up = WarmUp::new(epochs("warmup_steps")).from(of("lr0") / of("target"));
            let cosine = Cosine::new(epochs("decay_steps"));
            (of("target"), Box::new(Chain::new(warm_up).then(epochs("warmup_steps"), cosine)))
        }
        "poly_decay" => {
            let polynomial = Polynomial::new(epochs("decay_steps")).power(of("power"));
            let cycle = hyper["cycle"] == true;
            (of("lr0"), Box::new(polynomial.end_rate(of("end_lr")).cycle(cycle)))
        }
        // A boundary belongs to the value before it.
        "piecewise" => {
            let (values, boundaries) = (numbers(&hyper["values"]), numbers(&hyper["boundaries"]));
            let first = Chain::new(Constant::new(values[0]));
            let chain = boundaries.iter().zip(&values[1..]).fold(first, |chain, (boundary, &value)| {
                chain.then(*boundary as u64 + 1, Constant::new(value))
            });
            (1.0, Box::new(chain))
        }
        "inverse_time" => {
            let rates =
                rates_in_training(InverseTime { rate: of("rate"), epochs: of("decay_steps") }, of("lr0"));
            return assert_expected(case, "lr", &rates);
        }
        other => panic!("no schedule is called {other}"),
    };
    schedule.check().unwrap();
    // Epochs start at 0.
    let steps = numbers(&case["inputs"]["steps"]).into_iter().map(|step| step.max(0.0) as u64);
    let rates: Vec<f64> = steps.map(|epoch| schedule.rate(base, epoch, &[])).collect();
    assert_expected(case, "lr", &rates);
}

/// A user's schedule.
#[derive(Debug)]
struct InverseTime {
    rate: f64,
    epochs: f64,
}

impl Schedule for InverseTime {
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    fn rate(&self, base: f64, epoch: u64, _: &[f64]) -> f64 {
        base / (1.0 + self.rate * epoch as f64 / self.epochs)
    }
}

/// The rates of 11 epochs of training.
fn rates_in_training(schedule: InverseTime, base: f64) -> Vec<f64> {
    let data = toy::sine::<f64>(8, 0.1, 1).unwrap();
    let mut network = Network::new(Linear::new(1, 1)).unwrap();
    let training = Training::new(MeanSquaredError, Sgd::new(base)).epochs(11).schedule(schedule);
    let history = training.progress(false).fit(&mut network, &data).unwrap();
    history.epochs.iter().map(|epoch| epoch.learning_rate).collect()
}
