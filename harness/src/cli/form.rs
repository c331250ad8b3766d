//! How an answer is to look: in words for a terminal, as Markdown, or as JSON.

use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use crate::output;
use crate::output::summary::Form;

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct FormArgs {
    /// As Markdown
    #[arg(long)]
    markdown: bool,
    /// As JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
}

impl FormArgs {
    /// Prints `answer` as it is asked for; `render` puts it into words.
    pub(super) fn print<T: Serialize>(
        self,
        answer: &T,
        render: impl FnOnce(&T, Form) -> String,
    ) -> Result<(), Failure> {
        let text = match (self.json, self.markdown) {
            (true, _) => serde_json::to_string_pretty(answer)
                .map_err(|error| Failure::Failed(error.to_string()))?,
            (false, true) => render(answer, Form::Markdown),
            (false, false) => render(answer, Form::Terminal),
        };
        output::print(&text);
        Ok(())
    }
}
