//! Cutting the warnings of stores out of an answer of Thanos while it streams.

use super::AnswerError;
use super::edit::Editor;
use super::envelope;
use super::json::{Cursor, Kind};
use super::push::{Push, Taken, Visitor, Want};

/// The most bytes of warnings that are held back at once.
const MAX_NOTES: usize = 256 * 1024;

/// A scanner of a streaming answer that keeps the query engine's own warnings and cuts all others:
/// they name the addresses of stores and the label sets of other tenants.
///
/// After an error the stream must be reset; what was given out before is harmless.
#[derive(Debug)]
pub struct WarningCutter(Push<Warnings>);

impl WarningCutter {
    /// A scanner before the first byte of an answer.
    #[must_use]
    pub fn new() -> Self {
        Self(Push::new(Warnings::default(), MAX_NOTES))
    }

    /// Reads a chunk and gives out what may leave.
    ///
    /// # Errors
    /// The answer is not the JSON object that it should be, or too much would have to be held.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<Vec<u8>, AnswerError> {
        self.0.feed(chunk)
    }

    /// Ends the answer and gives out what is left of it.
    ///
    /// # Errors
    /// The answer has ended before its time.
    pub fn finish(self) -> Result<Vec<u8>, AnswerError> {
        self.0.finish()
    }
}

impl Default for WarningCutter {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug, Default)]
struct Warnings {
    in_data: bool,
    in_status: bool,
}

impl Visitor for Warnings {
    fn begin(&mut self, level: usize, key: &[u8], kind: Kind) -> Result<Want, AnswerError> {
        if level == 0 {
            return if kind == Kind::Object {
                Ok(Want::Walk)
            } else {
                Err(AnswerError::Shape)
            };
        }
        let is = |name: &str| key_is(key, name);
        if level == 1 {
            self.in_data = is("data");
            self.in_status = is("status");
        }
        if is("warnings") || is("infos") {
            return Ok(Want::Take);
        }
        Ok(match level {
            1 if is("error") || is("errorType") => return Err(AnswerError::Status),
            1 if self.in_status => Want::Take,
            1 if self.in_data && kind == Kind::Object => Want::Walk,
            _ => Want::Pass,
        })
    }

    fn took(&mut self, level: usize, text: &[u8]) -> Result<Taken, AnswerError> {
        let mut c = Cursor::new(text)?;
        if level == 1 && self.in_status {
            return if c.string()?.is("success") {
                Ok(Taken::Release)
            } else {
                Err(AnswerError::Status)
            };
        }
        let mut editor = Editor::new(text.to_vec().into())?;
        let stays = envelope::notes(&mut editor)?;
        let left = editor.finish()?;
        Ok(if stays {
            Taken::Replace(left.join())
        } else {
            Taken::Cut
        })
    }

    fn end(&self) -> Result<(), AnswerError> {
        Ok(())
    }
}

/// Whether the text between the quotes of a name, unescaped, is `name`.
pub(super) fn key_is(key: &[u8], name: &str) -> bool {
    if !key.contains(&b'\\') {
        return key == name.as_bytes();
    }
    let quoted: Vec<u8> = [b"\"", key, b"\""].concat();
    Cursor::new(&quoted).is_ok_and(|mut c| c.string().is_ok_and(|k| k.is(name)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::respond::tests::hostile;

    fn chunked(text: &[u8], size: usize) -> Result<Vec<u8>, AnswerError> {
        let mut cutter = WarningCutter::new();
        let mut out = Vec::new();
        for chunk in text.chunks(size.max(1)) {
            out.extend(cutter.feed(chunk)?);
        }
        out.extend(cutter.finish()?);
        Ok(out)
    }

    fn whole(text: &str) -> String {
        String::from_utf8(chunked(text.as_bytes(), usize::MAX).unwrap()).unwrap()
    }

    #[test]
    fn the_hostile_warnings_are_cut() {
        for case in hostile("R-015") {
            let body = case["upstream_response"]["body"].as_str().unwrap();
            let out = whole(body);
            assert_eq!(
                serde_json::from_str::<Value>(&out).unwrap(),
                case["expect"]["body_json"]
            );
        }
    }

    #[test]
    fn warnings_of_stores_go_and_all_else_is_byte_for_byte() {
        let engine = r#""PromQL warning: \"x\"""#;
        for (text, left) in [
            (
                r#"{"warnings":["s"],"status":"success","data":[]}"#,
                r#"{"status":"success","data":[]}"#,
            ),
            (
                r#"{"status":"success", "warnings" : [ "s" ] , "data":[]}"#,
                r#"{"status":"success" , "data":[]}"#,
            ),
            (
                r#"{"status":"success","warnings":["s"]}"#,
                r#"{"status":"success"}"#,
            ),
            (r#"{"warnings":["s"],"infos":[]} "#, "{} "),
            (
                r#"{"w\u0061rnings":["s"],"status":"success"}"#,
                r#"{"status":"success"}"#,
            ),
            (
                r#"{"status":"success","warnings":"s","infos":null}"#,
                r#"{"status":"success"}"#,
            ),
            (
                r#"{"data":{"result":[{"warnings":["kept"]}],"warnings":[{"a":1}],"n":1}}"#,
                r#"{"data":{"result":[{"warnings":["kept"]}],"n":1}}"#,
            ),
            (r#"{"data":{"warnings":["s"]}}"#, r#"{"data":{}}"#),
            (
                r#" { "data" : "\"warnings\":[]" , "x" : -1.5e3 }"#,
                r#" { "data" : "\"warnings\":[]" , "x" : -1.5e3 }"#,
            ),
        ] {
            assert_eq!(whole(text), left, "{text}");
        }
        assert_eq!(
            whole(&format!(
                r#"{{"warnings":["s",{engine},1,"t"],"data":{{}}}}"#
            )),
            format!(r#"{{"warnings":[{engine}],"data":{{}}}}"#)
        );
    }

    #[test]
    fn garbage_errors_and_what_is_cut_short_reset_the_stream() {
        for bad in [
            "",
            "[]",
            "null",
            "x",
            "{",
            "{}x",
            "{}{}",
            r#"{"a"}"#,
            r#"{"a":1,}"#,
            r#"{,"a":1}"#,
            r#"{"a":[1}"#,
            r#"{"a":nul}"#,
            r#"{"a":01}"#,
            "{\"a\":\"\n\"}",
            r#"{"warnings":["#,
            r#"{"warnings":[1 2]}"#,
            r#"{"status":"error","error":"tenant-b"}"#,
            r#"{"error":"tenant-b"}"#,
            "{]",
            r#"{"data":{]}"#,
            r#"{"a" 1}"#,
            r#"{"a":1 "b":2}"#,
        ] {
            for size in [1, usize::MAX] {
                assert!(chunked(bad.as_bytes(), size).is_err(), "{bad}");
            }
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut cutter = WarningCutter::new();
        cutter.feed(br#"{"status":"success","data":["#).unwrap();
        for _ in 0..1000 {
            assert_eq!(cutter.feed(&[b'1'; 4096]).unwrap().len(), 4096);
        }
        cutter.feed(br#"],"warnings":[""#).unwrap();
        let mut fed = 0;
        while cutter.feed(&[b'x'; 4096]).is_ok() {
            fed += 4096;
            assert!(fed < 2 * MAX_NOTES);
        }
        let long_key = format!("{{\"{}\":1}}", "k".repeat(MAX_NOTES * 2));
        assert!(chunked(long_key.as_bytes(), 4096).is_err());
    }

    fn note() -> impl Strategy<Value = String> {
        prop::sample::select(vec![
            r#""PromQL info: é \\ ]""#,
            r#""store \"canary\" ],\"infos\":[""#,
            r#""PromQL warning: }""#,
            "3",
            r#"{"canary":[1]}"#,
        ])
        .prop_map(String::from)
    }

    fn member() -> impl Strategy<Value = String> {
        let notes = |name: &'static str| {
            prop::collection::vec(note(), 0..4)
                .prop_map(move |n| format!("\"{name}\":[{}]", n.join(" , ")))
        };
        prop_oneof![
            notes("warnings"),
            notes("infos"),
            Just(r#" "status" : "success""#.to_string()),
            Just(r#""data":{"result":[[1.5,"2\"]"],{"a":{}}],"stats":{"x":[]}}"#.to_string()),
            Just("\"data\":[\n{\"a\":\"}\"}]".to_string()),
            Just("\"n\":-1e5".to_string()),
            Just("\"t\" :true".to_string()),
        ]
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference_and_no_warning_of_a_store_is_left(
            members in prop::collection::vec(member(), 0..6), size in 1usize..9
        ) {
            let text = format!("{{{}}}\n", members.join(","));
            let once = whole(&text);
            prop_assert_eq!(chunked(text.as_bytes(), size).unwrap(), once.as_bytes());
            prop_assert!(!once.contains("canary"), "{}", once);
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&once).is_ok(), "{}", once);
            if !text.contains("warnings") && !text.contains("infos") {
                prop_assert_eq!(once, text);
            }
        }

        #[test]
        fn chunks_make_no_difference_for_garbage(
            text in "[\\[\\]{}:,\" \\\\a0-3.e\\-ntrufls]{0,24}", size in 1usize..5
        ) {
            let text = format!("{{{text}}}");
            let once = chunked(text.as_bytes(), usize::MAX);
            let parts = chunked(text.as_bytes(), size);
            prop_assert_eq!(&once, &parts);
            if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() {
                prop_assert!(once.is_ok(), "{}", text);
            }
        }
    }
}
