//! Layers, networks and their derivatives: the contract, reference numbers, threads.

mod activations;
mod contract;
mod hessian;
mod network;
mod prepared;
mod reference;
mod slices;
mod stateful_layers;
mod threads;

use reference::fixture;
