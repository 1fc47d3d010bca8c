//! Every choice of a model in words.

use std::fmt::Write;

use super::scores::digits;
use super::{Model, Task};

impl<T: Task> Model<T> {
    /// The use of rows and columns, the training, and the reasons, in a few lines of text.
    pub fn report(&self) -> String {
        let (plan, training) = (&self.training.plan, &self.training);
        let mut text = String::new();
        let mut line = |line: String| writeln!(text, "{line}").expect("text takes everything");
        line(format!("A {} that {}.", T::NAME, self.task.describe()));
        let (all, used) = training.rows;
        let left_out = match all - used {
            0 => String::new(),
            left => format!(" ({left} of {all} rows are left out: no target or no weight)"),
        };
        let weights = training.weights.as_ref().map(|name| format!(", weighted by `{name}`"));
        line(format!("Rows: {used}{left_out}{}.", weights.unwrap_or_default()));
        line(format!("Columns, encoded as {} numbers per row:", self.encoder.width()));
        line(self.encoder.to_string().trim_end().to_string());
        let widths: Vec<String> = plan.hidden.iter().map(usize::to_string).collect();
        let hidden = match plan.hidden.is_empty() {
            true => "no hidden layer: a linear model".into(),
            false => {
                let dropout = match plan.dropout > 0.0 {
                    true => format!("dropout {}", plan.dropout),
                    false => "no dropout".into(),
                };
                format!("hidden layers of {} ReLU units, {dropout}", widths.join(" and "))
            }
        };
        line(format!(
            "Network: {hidden}; {} parameters; the last layer starts at 0.",
            self.networks[0].params().len()
        ));
        line(format!(
            "Training: AdamW, learning rate {} with 5% warm-up and cosine decay, weight decay {}, batches of {} \
             rows, {} epochs, moving average of the weights, seed {}.",
            plan.learning_rate, plan.weight_decay, plan.batch, plan.epochs, training.seed
        ));
        if training.members.len() > 1 {
            line(format!(
                "Ensemble: {} networks, each with other validation rows; predictions are averaged.",
                training.members.len()
            ));
        }
        for (i, member) in training.members.iter().enumerate() {
            let (fit, held) = member.rows;
            let kept = match member.validation_loss.get(member.best_epoch.wrapping_sub(1)) {
                Some(&loss) => {
                    format!("kept epoch {}, loss {} on {held} rows", member.best_epoch, digits(loss))
                }
                None if held > 0 && member.validation_loss.is_empty() => {
                    "stopped in the first epoch, kept as it was then".into()
                }
                None if held > 0 => format!(
                    "after epoch {} from the {held} validation rows as well, because their loss was low; kept \
                     the last epoch",
                    member.validation_loss.len()
                ),
                None => "no validation rows: kept the last epoch".into(),
            };
            line(format!("Network {}: learned from {fit} rows; {kept}.", i + 1));
        }
        text
    }
}
