//! `schedules.json`: the learning rate of every epoch. `keras_schedules.json`: that of Keras, for
//! options that PyTorch does not have.

use geartrain::optim::schedule::*;
use serde_json::Value;

use crate::fixture::*;

fn chain(schedule: &Value) -> Chain {
    let parts = schedule["schedules"].as_array().expect("schedules");
    let milestones = numbers(&schedule["milestones"]);
    let first = Chain::new(build_schedule(&parts[0]));
    parts[1..]
        .iter()
        .zip(milestones)
        .fold(first, |chain, (part, epoch)| chain.then(epoch as u64, build_schedule(part)))
}

fn build_schedule(schedule: &Value) -> Box<dyn Schedule> {
    let of = |name: &str| number(&schedule[name]);
    let epochs = |name: &str| count(&schedule[name]) as u64;
    match text(&schedule["type"]) {
        "step" => Box::new(Step::new(epochs("step_size"), of("gamma"))),
        "exponential" => Box::new(Exponential::new(of("gamma"))),
        "cosine" => Box::new(Cosine::new(epochs("T_max")).min_rate(of("eta_min"))),
        "linear" => {
            Box::new(WarmUp::new(epochs("total_iters")).from(of("start_factor")).to(of("end_factor")))
        }
        "polynomial" => Box::new(Polynomial::new(epochs("total_iters")).power(of("power"))),
        "sequential" => Box::new(chain(schedule)),
        "plateau" => {
            let plateau = ReduceOnPlateau::default().factor(of("factor")).patience(epochs("patience"));
            let plateau = plateau.threshold(of("threshold")).cooldown(epochs("cooldown"));
            Box::new(plateau.min_rate(of("min_lr")))
        }
        other => panic!("no schedule is called {other}"),
    }
}

#[test]
fn schedules_are_those_of_torch() {
    for case in cases(&load("schedules")) {
        let (name, schedule) = (text(&case["name"]), &case["schedule"]);
        // geartrain minimises, with a relative threshold.
        if schedule["mode"] == "max" || schedule["threshold_mode"] == "abs" {
            continue;
        }
        let schedule = build_schedule(schedule);
        schedule.check().unwrap();
        let losses: Vec<f64> = case.get("metrics").map_or(Vec::new(), |metrics| {
            metrics.as_array().unwrap().iter().map(|loss| loss.as_f64().unwrap_or(f64::NAN)).collect()
        });
        let base = number(&case["base_lr"]);
        for (epoch, expected) in numbers(&case["lr"]).into_iter().enumerate() {
            let losses = &losses[..epoch.min(losses.len())];
            let rate = schedule.rate(base, epoch as u64, losses);
            // PyTorch multiplies the previous rate, which accumulates rounding errors.
            let close = (rate - expected).abs() <= 1e-13 * base;
            assert!(close, "{name}, epoch {epoch}: expected {expected:e}, got {rate:e}");
        }
    }
}

#[test]
fn polynomial_and_exponential_decay_are_those_of_keras() {
    let file = load("keras_schedules");
    let (base, times) = (number(&file["base"]), numbers(&file["times"]));
    for case in cases(&file) {
        let of = |name: &str| number(&case[name]);
        let schedule: Box<dyn Schedule> = match text(&case["schedule"]) {
            "polynomial" => {
                let polynomial = Polynomial::new(of("length") as u64).power(of("power"));
                Box::new(polynomial.end_rate(of("end")).cycle(case["cycle"] == true))
            }
            "exponential" if case["staircase"] == true => {
                Box::new(Step::new(of("length") as u64, of("rate")))
            }
            "exponential" => Box::new(Exponential::new(of("rate")).every(of("length"))),
            other => panic!("no schedule is called {other}"),
        };
        schedule.check().unwrap();
        let rates: Vec<f64> = times.iter().map(|&t| schedule.rate(base, t as u64, &[])).collect();
        assert_close(&format!("{schedule:?}"), &rates, &case["rates"], 1e-14, 0.0);
    }
}
