//! Learning rate and weight decay for some of the parameters.

use std::ops::Range;

use serde::Serialize;

use super::at_least_0;
use crate::Error;
use crate::params::{Layout, ParamSpec};

/// Some of a network's parameters, with a learning rate and weight decay of their own. Every
/// optimizer takes groups; a parameter belongs to the first group that selects it.
///
/// Weight decay that spares biases and normalisation layers, and a slower first layer:
///
/// ```
/// use geartrain::{optim::ParamGroup, prelude::*};
/// let adam = AdamW::<f32>::new(1e-3)
///     .weight_decay(0.05)
///     .group(ParamGroup::biases().weight_decay(0.0))
///     .group(ParamGroup::normalization().weight_decay(0.0))
///     .group(ParamGroup::named("0").learning_rate_factor(0.1));
/// assert!(adam.check().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ParamGroup {
    select: Select,
    learning_rate_factor: f64,
    /// `None` stands for the optimizer's own.
    weight_decay: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
enum Select {
    Biases,
    Normalization,
    Named(String),
}

impl ParamGroup {
    /// Every parameter with fewer than two dimensions whose name is `bias` (of `Linear` as of
    /// normalisation layers).
    pub fn biases() -> Self {
        ParamGroup::new(Select::Biases)
    }

    /// Every other parameter with fewer than two dimensions, such as the `weight` of `LayerNorm`
    /// and `BatchNorm`.
    pub fn normalization() -> Self {
        ParamGroup::new(Select::Normalization)
    }

    /// The parameter called `name`, such as `2.weight`, and all parameters inside the layer called
    /// `name`, such as `2`. The first step fails with [`Error::UnknownParameter`] if there are
    /// none.
    pub fn named(name: impl Into<String>) -> Self {
        ParamGroup::new(Select::Named(name.into()))
    }

    fn new(select: Select) -> Self {
        ParamGroup { select, learning_rate_factor: 1.0, weight_decay: None }
    }

    /// The group's learning rate over the optimizer's, a finite number ≥ 0. Default: 1. Schedules
    /// change both alike.
    pub fn learning_rate_factor(mut self, factor: f64) -> Self {
        self.learning_rate_factor = factor;
        self
    }

    /// The group's weight decay, a finite number ≥ 0. Default: the optimizer's.
    pub fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = Some(weight_decay);
        self
    }

    fn selects(&self, spec: &ParamSpec) -> bool {
        let is_vector = spec.shape.len() < 2;
        let is_bias = spec.name.rsplit('.').next() == Some("bias");
        match &self.select {
            Select::Biases => is_vector && is_bias,
            Select::Normalization => is_vector && !is_bias,
            Select::Named(name) => {
                spec.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }
        }
    }
}

/// The groups of one optimizer.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(transparent)]
pub(super) struct Groups(Vec<ParamGroup>);

impl Groups {
    pub fn push(&mut self, group: ParamGroup) {
        self.0.push(group);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks every group's arguments.
    pub fn check(&self) -> Result<(), Error> {
        self.0.iter().try_for_each(|group| {
            at_least_0("learning rate factor", group.learning_rate_factor)?;
            at_least_0("weight decay", group.weight_decay.unwrap_or(0.0))
        })
    }

    /// Checks that every name exists.
    pub fn check_layout(&self, layout: &Layout) -> Result<(), Error> {
        self.0.iter().try_for_each(|group| match &group.select {
            Select::Named(name) if !layout.iter().any(|(spec, _)| group.selects(spec)) => {
                layout.find(name).map(drop)
            }
            _ => Ok(()),
        })
    }

    /// The largest learning rate and weight decay of any group.
    pub fn largest(&self, learning_rate: f64, weight_decay: f64) -> (f64, f64) {
        self.0.iter().fold((learning_rate, weight_decay), |(rate, decay), group| {
            (
                rate.max(learning_rate * group.learning_rate_factor),
                decay.max(group.weight_decay.unwrap_or(weight_decay)),
            )
        })
    }

    /// Calls `update` with every range of trainable parameters and its learning rate and weight
    /// decay.
    pub fn for_each_part(
        &self,
        layout: &Layout,
        learning_rate: f64,
        weight_decay: f64,
        mut update: impl FnMut(Range<usize>, f64, f64),
    ) {
        if self.is_empty() {
            for range in layout.trainable() {
                update(range.clone(), learning_rate, weight_decay);
            }
            return;
        }
        for (spec, range) in layout.iter().filter(|(spec, _)| spec.trainable) {
            match self.0.iter().find(|group| group.selects(spec)) {
                Some(group) => update(
                    range,
                    learning_rate * group.learning_rate_factor,
                    group.weight_decay.unwrap_or(weight_decay),
                ),
                None => update(range, learning_rate, weight_decay),
            }
        }
    }
}
