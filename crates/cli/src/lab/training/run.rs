//! A training run: the lines it streams, and the model it leaves.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use geartrain::io::FileProblem;
use geartrain::layer::Kind;
use geartrain::prelude::*;
use geartrain::train::{Callback, CallbackResult, Epoch, EpochEnd, StepEnd, StopReason};
use geartrain::with_threads;
use geartrain_lab as lab;
use ndarray::Array2;
use serde_json::{Value, json};

use super::control::Control;
use super::picture::Picture;
use super::settings::Prepared;
use super::steered::Steered;
use crate::lab::lines::Writer;
use crate::lab::reply::number;

/// The time between two measurements in units of the last one's time: measuring costs about 1 %,
/// and slightly more on a busy machine.
const UNDISTURBED: u32 = 100;
/// The shortest time between two measurements.
const OFTEN: Duration = Duration::from_millis(100);

/// A training run, as the server keeps it.
pub struct Job {
    pub id: u64,
    pub control: Control,
    /// Set during pauses and after the end.
    model: Mutex<Option<Arc<Model>>>,
}

/// The downloads.
pub struct Model {
    predictor: Predictor<f64>,
    epochs: Vec<Epoch>,
}

impl Job {
    pub fn new(id: u64, control: Control) -> Arc<Self> {
        Arc::new(Job { id, control, model: Mutex::new(None) })
    }

    pub fn model(&self) -> Option<Arc<Model>> {
        self.place().clone()
    }

    fn place(&self) -> MutexGuard<'_, Option<Arc<Model>>> {
        self.model.lock().unwrap_or_else(|poison| poison.into_inner())
    }
}

impl Model {
    /// The file that [`Predictor::save`] would write.
    pub fn weights(&self) -> Result<Vec<u8>, FileProblem> {
        self.predictor.to_tensors()?.to_bytes()
    }

    /// A line per epoch.
    pub fn history(&self) -> String {
        let mut csv = String::from("epoch,learning_rate,train_loss,validation_loss\n");
        for (i, epoch) in self.epochs.iter().enumerate() {
            let validation = epoch.validation_loss.map_or(String::new(), |loss| format!("{loss:?}"));
            csv += &format!("{},{:?},{:?},{validation}\n", i + 1, epoch.learning_rate, epoch.train_loss);
        }
        csv
    }
}

/// Trains on this thread, to the end or until the page closes the connection.
pub fn train(prepared: Prepared, optimizer: Box<dyn Optimizer<f64>>, job: &Job, writer: &Writer) {
    with_threads(1, || {
        if let Err(error) = fit(&prepared, optimizer, job, writer) {
            writer.write(&json!({ "kind": "end", "ended": "failed", "error": error.to_string() }));
        }
    });
}

fn fit(
    prepared: &Prepared,
    optimizer: Box<dyn Optimizer<f64>>,
    job: &Job,
    writer: &Writer,
) -> Result<(), Error> {
    let mut network = prepared.network.clone();
    let mut watcher = Watcher::new(prepared, job, writer);
    let start = watcher.start(&network)?;
    writer.write(&start);
    watcher.watch(&network, &*optimizer)?;
    let first = watcher.look(&network, true)?;
    writer.write(&first);
    watcher.shown = watcher.monitor.records().len();

    let began = Instant::now();
    let mut optimizer = Steered::new(optimizer, prepared.is_sgd.then_some(&job.control));
    let mut training = Training::new(prepared.loss(), &mut optimizer)
        .epochs(prepared.epochs)
        .batch_size(prepared.batch)
        .seed(prepared.seed)
        .validation(&prepared.scaled_validation)
        .threads(1)
        .callback(&mut watcher)
        .progress(false);
    let ended = training.fit(&mut network, &prepared.scaled_train);
    drop(training);
    let seconds = (began.elapsed() - watcher.paused).as_secs_f64();

    let looking = watcher.looking.as_secs_f64();
    let (ended, error) = match ended {
        Ok(history) if history.stop_reason == StopReason::Finished => ("finished", None),
        Ok(_) => ("stopped", None),
        Err(error @ Error::Diverged { .. }) => ("diverged", Some(error.to_string())),
        Err(error) => return Err(error),
    };
    watcher.leave(&network)?;
    watcher.watch(&network, &optimizer)?;
    let last = watcher.look(&network, true)?;
    writer.write(&last);
    let end =
        json!({ "kind": "end", "ended": ended, "error": error, "seconds": seconds, "looking": looking });
    writer.write(&end);
    Ok(())
}

/// Measures the network during training.
struct Watcher<'a> {
    prepared: &'a Prepared,
    job: &'a Job,
    writer: &'a Writer,
    picture: Picture,
    /// The batch to measure gradients on, always the same.
    probe: (Array2<f64>, Array2<f64>),
    /// Measures the sharpness, on more rows.
    monitor: lab::Monitor<'a, f64>,
    /// The number of its measurements sent to the page.
    shown: usize,
    epochs: Vec<Epoch>,
    /// The number of epochs sent to the page.
    told: usize,
    epoch: usize,
    step: u64,
    loss: Option<f64>,
    next: Instant,
    next_sharpness: Instant,
    next_epoch: Instant,
    looking: Duration,
    paused: Duration,
}

impl<'a> Watcher<'a> {
    fn new(prepared: &'a Prepared, job: &'a Job, writer: &'a Writer) -> Self {
        Watcher {
            prepared,
            job,
            writer,
            picture: Picture::of(prepared),
            probe: prepared.probe(),
            monitor: prepared.monitor(),
            shown: 0,
            epochs: Vec::new(),
            told: 0,
            epoch: 0,
            step: 0,
            loss: None,
            next: Instant::now(),
            next_sharpness: Instant::now(),
            next_epoch: Instant::now(),
            looking: Duration::ZERO,
            paused: Duration::ZERO,
        }
    }

    /// `|δ|` by layer, from the input up: linear layers and the ends of residual connections.
    fn gradients(&self, network: &Network<f64>) -> Result<Vec<(String, f64)>, Error> {
        let measured = lab::measure(network, self.prepared.loss(), &self.probe.0, &self.probe.1)?;
        let main = |layer: &&lab::LayerMeasurement| {
            layer.nesting == 0 && matches!(layer.kind, Kind::Linear | Kind::Residual { .. })
        };
        let layers = measured.layers.iter().filter(main);
        Ok(layers.map(|layer| (format!("{} {}", layer.path, layer.layer), layer.gradient)).collect())
    }

    /// The first line: the constant part.
    fn start(&self, network: &Network<f64>) -> Result<Value, Error> {
        let Prepared { scaling, train, validation, epochs, .. } = self.prepared;
        let layers: Vec<String> = self.gradients(network)?.into_iter().map(|(name, _)| name).collect();
        let phase = lab::Phase::of(network, &self.probe.0)?;
        let phase = phase.map(|phase| json!({ "activation": phase.activation, "edge": phase.edge }));
        Ok(json!({
            "kind": "start",
            "id": self.job.id,
            "features": train.feature_names(),
            "target": train.target_names()[0],
            "classes": self.prepared.classes(),
            "train_rows": train.rows(),
            "validation_rows": validation.rows(),
            "weights": network.params().len(),
            "epochs": epochs,
            "layers": layers,
            "constant": scaling.constant_columns(),
            "phase": phase,
            "picture": self.picture.start(self.prepared),
        }))
    }

    /// Measures the sharpness. A run that diverges has none.
    fn watch(&mut self, network: &Network<f64>, optimizer: &dyn Optimizer<f64>) -> Result<(), Error> {
        match self.monitor.record(self.step, network, optimizer) {
            Ok(_) | Err(Error::NonFiniteLoss { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The density of the Hessian's eigenvalues as pairs; `None` if it would take long.
    fn density(&self, network: &Network<f64>) -> Option<Value> {
        const MOST_WEIGHTS: usize = 20_000;
        let (x, y) = (&self.probe.0, &self.probe.1);
        let small = network.params().len() <= MOST_WEIGHTS;
        let density = small.then(|| lab::Curvature::new(network, self.prepared.loss(), x, y).density(4, 20));
        let curve = density?.ok()?.curve(160);
        Some(curve.iter().map(|(value, density)| json!([number(*value), number(*density)])).collect())
    }

    /// A line about the current state, with the epochs and the sharpness that have not been sent,
    /// and with the density of eigenvalues if there is `time`.
    fn look(&self, network: &Network<f64>, time: bool) -> Result<Value, Error> {
        let sharpness = |record: &lab::TrainingRecord| {
            let along = number(record.along_gradient);
            let [w, b] = [0, 1].map(|i| record.phase.map(|(w, b)| number([w, b][i])));
            json!([record.step, number(record.sharpness), record.threshold.map(number), along, w, b])
        };
        let losses = |epoch: &Epoch| json!([number(epoch.train_loss), epoch.validation_loss.map(number)]);
        let gradients = self.gradients(network)?;
        let mut line = self.picture.now(self.prepared, network)?;
        let more = json!({
            "kind": "look",
            "epoch": self.epoch,
            "step": self.step,
            "loss": self.loss.map(number),
            "epochs": self.epochs[self.told..].iter().map(losses).collect::<Value>(),
            "gradients": gradients.iter().map(|(_, length)| number(*length)).collect::<Value>(),
            "sharpness": self.monitor.records()[self.shown..].iter().map(sharpness).collect::<Value>(),
            "density": if time { self.density(network) } else { None },
        });
        if let (Value::Object(line), Value::Object(more)) = (&mut line, more) {
            line.extend(more);
        }
        Ok(line)
    }

    /// After a line was sent.
    fn sent(&mut self) {
        (self.told, self.shown) = (self.epochs.len(), self.monitor.records().len());
    }

    /// Keeps the network for download.
    fn leave(&self, network: &Network<f64>) -> Result<(), Error> {
        let predictor = Predictor::new(network.clone()).with_scaling(self.prepared.scaling.clone())?;
        let model = Model { predictor, epochs: self.epochs.clone() };
        *self.job.place() = Some(Arc::new(model));
        Ok(())
    }
}

impl Callback<f64> for Watcher<'_> {
    fn on_step_end(&mut self, step: &mut StepEnd<'_, f64>) -> CallbackResult {
        (self.epoch, self.step, self.loss) = (step.epoch, step.step, Some(step.loss));
        if self.writer.is_closed() {
            return Ok(ControlFlow::Break(()));
        }
        if let Some(rate) = self.job.control.steering().learning_rate {
            *step.learning_rate = rate;
        }
        if self.job.control.pauses() {
            let began = Instant::now();
            self.leave(step.network)?;
            self.watch(step.network, step.optimizer)?;
            if self.writer.write(&self.look(step.network, true)?) {
                self.sent();
            }
            if !self.job.control.wait(|| self.writer.is_closed()) {
                return Ok(ControlFlow::Break(()));
            }
            *self.job.place() = None;
            self.paused += began.elapsed();
        } else if Instant::now() >= self.next {
            let began = Instant::now();
            if began >= self.next_sharpness {
                self.watch(step.network, step.optimizer)?;
                let took = began.elapsed();
                let rare = if self.prepared.slowed.is_some() { 2 } else { UNDISTURBED };
                self.next_sharpness = Instant::now() + rare * took;
            }
            if self.writer.offer(&self.look(step.network, false)?) {
                self.sent();
            }
            let took = began.elapsed();
            self.looking += took;
            // a training slowed down on purpose can measure more often
            let disturbed = if self.prepared.slowed.is_some() { OFTEN } else { UNDISTURBED * took };
            self.next = Instant::now() + OFTEN.max(disturbed);
        }
        Ok(ControlFlow::Continue(()))
    }

    fn on_epoch_end(&mut self, epoch: &mut EpochEnd<'_, f64>) -> CallbackResult {
        self.epochs.extend(epoch.history.epochs.last().cloned());
        if let Some(least) = self.prepared.slowed {
            let now = Instant::now();
            // delays, such as a pause, are not made up for
            self.next_epoch = now.max(self.next_epoch + least);
            self.job.control.rest(self.next_epoch - now);
            self.paused += now.elapsed();
        }
        Ok(ControlFlow::Continue(()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread;

    use super::*;
    use crate::lab::lines::lines;
    use crate::lab::training::control::Order;
    use crate::lab::training::settings::Settings;

    /// The processor time of this thread: other programs do not count.
    fn busy() -> f64 {
        let text = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
        text.split(' ').next().and_then(|time| time.parse::<f64>().ok()).expect("nanoseconds") / 1e9
    }

    /// The time of training with a reading page divided by that of `fit` alone; the minimum of
    /// several runs of each, in turns.
    fn ratio(settings: &str) -> f64 {
        let settings: Settings = serde_json::from_str(settings).expect("settings");
        let mut least = [f64::INFINITY; 2];
        for _ in 0..5 {
            let prepared = settings.prepare().expect("possible");
            let mut network = prepared.network.clone();
            let began = busy();
            Training::new(prepared.loss(), settings.optimizer())
                .epochs(prepared.epochs)
                .batch_size(prepared.batch)
                .seed(prepared.seed)
                .validation(&prepared.scaled_validation)
                .threads(1)
                .progress(false)
                .fit(&mut network, &prepared.scaled_train)
                .expect("trains");
            least[0] = least[0].min(busy() - began);

            let (writer, mut page) = lines();
            let reader = thread::spawn(move || while page.next_line().is_some() {});
            let job = Job::new(1, Control::new(Order::Run));
            let began = busy();
            train(prepared, settings.optimizer(), &job, &writer);
            least[1] = least[1].min(busy() - began);
            drop(writer);
            reader.join().expect("reads to the end");
            let model = job.model().expect("left");
            assert_eq!(model.predictor.network().params(), network.params(), "looking changes nothing");
        }
        println!("{:.3} s alone, {:.3} s with the stream", least[0], least[1]);
        least[1] / least[0]
    }

    #[test]
    #[ignore = "a measurement of half a minute, for the release build"]
    fn the_stream_costs_at_most_5_percent() {
        let task = |data: &str, hidden: &str, epochs: usize| {
            format!(
                r#"{{"data": "{data}", "rows": 2000, "noise": 0.1, "table": null, "hidden": {hidden}, "activation": "tanh",
                "init": "auto", "gain": 1, "skip": null, "norm": "none", "optimizer": "momentum", "learning_rate": 0.01,
                "batch": 32, "epochs": {epochs}, "seed": 7, "speed": 0}}"#
            )
        };
        for (data, hidden, epochs) in [
            ("sine", "[32, 32]", 400),
            ("spirals", "[64, 64]", 150),
            ("friedman", "[64, 64, 64, 64, 64, 64, 64, 64]", 40),
        ] {
            let ratio = ratio(&task(data, hidden, epochs));
            println!("{data} {hidden}: {ratio:.3}");
            assert!(ratio < 1.05, "{data}: {ratio}");
        }
    }
}
