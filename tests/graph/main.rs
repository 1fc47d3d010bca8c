//! The scalar computational graph: formulas, passes, pictures, and the lesson on the chain rule.

mod graph;
mod lesson;
mod oracle;
