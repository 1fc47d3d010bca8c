//! The labels of classes, and the order that gives each its index.

use std::collections::{HashMap, HashSet};

/// Different labels, numbered in the order in which they came.
#[derive(Default)]
pub(super) struct Labels {
    numbers: HashMap<String, usize>,
}

impl Labels {
    /// The number of a label, new or seen before.
    pub(super) fn number(&mut self, label: &str) -> usize {
        if let Some(&number) = self.numbers.get(label) {
            return number;
        }
        let next = self.numbers.len();
        self.numbers.insert(label.to_owned(), next);
        next
    }

    /// The names of the classes in their order, and the class of each number that is `used`.
    ///
    /// Where every label is a finite number they are sorted as numbers, and two ways to write one number are one class,
    /// called what it was called first; otherwise they are sorted as text.
    pub(super) fn sorted(self, used: &HashSet<usize>) -> (Vec<String>, HashMap<usize, usize>) {
        let mut labels: Vec<(String, usize)> =
            self.numbers.into_iter().filter(|(_, number)| used.contains(number)).collect();
        labels.sort_by_key(|&(_, number)| number);
        let numeric = labels.iter().all(|(label, _)| value(label).is_some());
        if numeric {
            // Stable: of equal numbers, the one seen first stays first.
            labels.sort_by(|(a, _), (b, _)| value(a).partial_cmp(&value(b)).expect("finite"));
        } else {
            labels.sort();
        }
        let (mut classes, mut class_of) = (Vec::<String>::new(), HashMap::new());
        for (label, number) in labels {
            let known = classes.last().is_some_and(|last| numeric && value(last) == value(&label));
            if !known {
                classes.push(label);
            }
            class_of.insert(number, classes.len() - 1);
        }
        (classes, class_of)
    }
}

/// The finite number that a label stands for.
fn value(label: &str) -> Option<f64> {
    label.parse().ok().filter(|value: &f64| value.is_finite())
}
