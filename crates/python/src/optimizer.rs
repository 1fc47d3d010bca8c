//! Update rules, with a state that can be pickled.

use geartrain::Scalar;
use geartrain::optim::{self, Adam, AdamW, RMSprop, Sgd, State};
use numpy::{PyArray1, PyArrayMethods};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::border::{Number, Typed, exception, typed, vector};
use crate::network::Network;

/// An update rule: SGD, Adam, AdamW or RMSprop.
#[pyclass(module = "geartrain._core")]
pub struct Optimizer {
    /// Both number types have the same options; only one has a state.
    pub single: Box<dyn geartrain::Optimizer<f32> + Sync>,
    pub double: Box<dyn geartrain::Optimizer<f64> + Sync>,
}

#[pymethods]
impl Optimizer {
    /// The rule called `name` with a learning rate and options by name.
    #[new]
    #[pyo3(signature = (name, learning_rate, **options))]
    fn new(name: &str, learning_rate: f64, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let options = Options(options);
        let optimizer = Optimizer {
            single: build::<f32>(name, learning_rate, &options)?,
            double: build::<f64>(name, learning_rate, &options)?,
        };
        optimizer.double.check().map_err(exception)?;
        Ok(optimizer)
    }

    #[getter]
    fn learning_rate(&self) -> f64 {
        self.double.learning_rate()
    }

    #[setter]
    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.single.set_learning_rate(learning_rate);
        self.double.set_learning_rate(learning_rate);
    }

    /// Sets the learning rate, with a momentum that keeps its speed: scikit-learn's velocity
    /// contains the learning rate of the steps that built it up.
    fn rescale(&mut self, learning_rate: f64) {
        fn rescale<F: Scalar>(rule: &mut dyn geartrain::Optimizer<F>, factor: f64) {
            let State { steps, vectors } = rule.state();
            let scaled = |vector: &[F]| vector.iter().map(|v| *v * F::of(factor)).collect();
            let vectors = vectors.into_iter().map(|(name, vector)| (name, scaled(vector))).collect();
            rule.set_state(State { steps, vectors });
        }
        let factor = self.learning_rate() / learning_rate;
        rescale(&mut *self.single, factor);
        rescale(&mut *self.double, factor);
        self.set_learning_rate(learning_rate);
    }

    /// One update of all parameters of `network` with their gradients.
    fn step(&mut self, mut network: PyRefMut<'_, Network>, grads: &Bound<'_, PyAny>) -> PyResult<()> {
        fn step<F: Number>(
            optimizer: &mut Optimizer,
            network: &mut geartrain::Network<F>,
            grads: &Bound<'_, PyAny>,
        ) -> PyResult<()> {
            let grads = vector::<F>("grads", grads)?;
            F::rule(optimizer).step(network.params_mut(), grads.as_slice()?).map_err(exception)
        }
        typed!(&mut network.network, network => step(self, network, grads))
    }

    /// The state: the number of steps, and vectors by name.
    fn state<'py>(&self, py: Python<'py>) -> PyResult<(u64, Bound<'py, PyDict>)> {
        fn read<'py, F: Number>(
            py: Python<'py>,
            state: State<&[F]>,
            vectors: &Bound<'py, PyDict>,
        ) -> PyResult<u64> {
            for (name, vector) in state.vectors.into_iter().filter(|(_, vector)| !vector.is_empty()) {
                vectors.set_item(name, PyArray1::from_slice(py, vector))?;
            }
            Ok(state.steps.unwrap_or(0))
        }
        let vectors = PyDict::new(py);
        let steps = read(py, self.single.state(), &vectors)?.max(read(py, self.double.state(), &vectors)?);
        Ok((steps, vectors))
    }

    /// Replaces the state by one that [`state`](Optimizer::state) returned.
    fn set_state(&mut self, steps: u64, vectors: &Bound<'_, PyDict>) -> PyResult<()> {
        fn write<F: Number>(
            rule: &mut dyn geartrain::Optimizer<F>,
            steps: u64,
            vectors: &Bound<'_, PyDict>,
        ) -> PyResult<()> {
            let names: Vec<_> = rule.state().vectors.iter().map(|(name, _)| *name).collect();
            let mut state = State { steps: Some(steps), vectors: Vec::new() };
            for name in names {
                let values = match vectors.get_item(name)? {
                    Some(values) => values.cast::<PyArray1<F>>()?.to_vec()?,
                    None => Vec::new(),
                };
                state.vectors.push((name, values));
            }
            rule.set_state(state);
            Ok(())
        }
        let dtype = match vectors.values().iter().next() {
            Some(vector) => vector.getattr("dtype")?.to_string(),
            None => return Ok(()),
        };
        let rule = if dtype == f32::DTYPE {
            Typed::F32(&mut *self.single as &mut dyn geartrain::Optimizer<f32>)
        } else {
            Typed::F64(&mut *self.double as &mut dyn geartrain::Optimizer<f64>)
        };
        typed!(rule, rule => write(rule, steps, vectors))
    }
}

/// The options of a rule by name.
struct Options<'a, 'py>(Option<&'a Bound<'py, PyDict>>);

impl<'py> Options<'_, 'py> {
    fn get<T: for<'a> FromPyObject<'a, 'py>>(&self, name: &str, default: T) -> PyResult<T> {
        match self.0.map(|options| options.get_item(name)).transpose()?.flatten() {
            Some(value) => {
                value.extract().map_err(|_| PyTypeError::new_err(format!("{name}: unexpected value {value}")))
            }
            None => Ok(default),
        }
    }

    /// Fails for an option outside `known`.
    fn check(&self, known: &[&str]) -> PyResult<()> {
        for name in self.0.into_iter().flat_map(|options| options.keys()) {
            let name = name.to_string();
            if !known.contains(&name.as_str()) {
                let message = format!("unexpected option {name:?}; there are: {}", known.join(", "));
                return Err(PyTypeError::new_err(message));
            }
        }
        Ok(())
    }
}

fn build<F: Scalar>(
    name: &str,
    learning_rate: f64,
    options: &Options<'_, '_>,
) -> PyResult<Box<dyn optim::Optimizer<F> + Sync>> {
    let number = |name, default: f64| options.get(name, default);
    let flag = |name| options.get(name, false);
    Ok(match name {
        "sgd" => {
            options.check(&["momentum", "dampening", "nesterov", "weight_decay"])?;
            let sgd = Sgd::new(learning_rate).momentum(number("momentum", 0.0)?);
            let sgd = sgd.dampening(number("dampening", 0.0)?).nesterov(flag("nesterov")?);
            Box::new(sgd.weight_decay(number("weight_decay", 0.0)?))
        }
        "adam" => {
            options.check(&["betas", "eps", "weight_decay", "amsgrad", "eps_before_correction"])?;
            let (beta1, beta2) = options.get("betas", (0.9, 0.999))?;
            let adam = Adam::new(learning_rate).betas(beta1, beta2).eps(number("eps", 1e-8)?);
            let adam = adam.weight_decay(number("weight_decay", 0.0)?).amsgrad(flag("amsgrad")?);
            Box::new(adam.eps_before_correction(flag("eps_before_correction")?))
        }
        "adamw" => {
            options.check(&["betas", "eps", "weight_decay", "amsgrad"])?;
            let (beta1, beta2) = options.get("betas", (0.9, 0.999))?;
            let adam = AdamW::new(learning_rate).betas(beta1, beta2).eps(number("eps", 1e-8)?);
            Box::new(adam.weight_decay(number("weight_decay", 0.01)?).amsgrad(flag("amsgrad")?))
        }
        "rmsprop" => {
            options.check(&["alpha", "eps", "momentum", "centered", "weight_decay"])?;
            let rmsprop = RMSprop::new(learning_rate).alpha(number("alpha", 0.99)?).eps(number("eps", 1e-8)?);
            let rmsprop = rmsprop.momentum(number("momentum", 0.0)?).centered(flag("centered")?);
            Box::new(rmsprop.weight_decay(number("weight_decay", 0.0)?))
        }
        _ => {
            let message = format!("no optimizer is called {name:?}; there are: sgd, adam, adamw, rmsprop");
            return Err(PyValueError::new_err(message));
        }
    })
}
