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

    /// Prints `answers` as it is asked for: each on a line of its own as JSON, or all of them as
    /// `render` puts them into words.
    pub(super) fn print_each<T: Serialize>(
        self,
        answers: &[T],
        render: impl FnOnce(&[T], Form) -> String,
    ) -> Result<(), Failure> {
        if !self.json {
            let form = if self.markdown { Form::Markdown } else { Form::Terminal };
            output::print(render(answers, form).trim_end());
            return Ok(());
        }
        for answer in answers {
            let line = serde_json::to_string(answer)
                .map_err(|error| Failure::Failed(error.to_string()))?;
            output::print(&line);
        }
        Ok(())
    }
}
