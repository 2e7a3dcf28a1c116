//! The whole exchange: a generated configuration, request, body and answer, cut into pieces at any
//! place, held against every invariant of the design.

pub mod answer;
pub mod caller;
pub mod drive;
pub mod request;
pub mod rights;
pub mod setting;
pub mod words;

use super::choices::Choices;
use super::invariants;
use drive::Flow;
use setting::Setting;

/// One run.
pub fn fuzz(data: &[u8]) {
    let mut choices = Choices::new(data);
    let setting = Setting::choose(&mut choices);
    let Some(mut worker) = setting.worker() else {
        return;
    };
    // Two requests on one worker: what the first left behind must not change the second.
    for _ in 0..2 {
        let request = request::choose(&mut choices, &setting);
        let run = Flow::new(&setting, &request).run(&mut worker, &mut choices);
        invariants::hold(&run);
        if choices.is_empty() {
            return;
        }
    }
}
