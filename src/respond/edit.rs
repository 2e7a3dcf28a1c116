//! Cutting items out of a JSON text as it is read: what stays is moved down, never rewritten.

use super::AnswerError;
use super::blocks::Blocks;
use super::json::{Cursor, Kind, Raw};
use super::window::Window;

/// A JSON text that is read once from front to back while items are cut out of it.
///
/// It holds a window of the text. What is sure to stay leaves it, and blocks of what follows are
/// taken into it as they are needed. Beside the text there is never much more than the window, and
/// that is as large as what is read as one: a rule, an alert, a group until one of its rules stays.
#[derive(Debug)]
pub(super) struct Editor {
    window: Window,
    /// How many of the lists around the present place have an item that may yet be cut.
    undecided: usize,
}

impl Editor {
    /// An editor at the start of a text that must be UTF-8.
    pub(super) fn new(body: Blocks) -> Result<Self, AnswerError> {
        Ok(Self {
            window: Window::new(body)?,
            undecided: 0,
        })
    }

    /// The output. Nothing but space may be left to read.
    pub(super) fn finish(mut self) -> Result<Blocks, AnswerError> {
        self.scan(|c| c.end())?;
        self.window.finish()
    }

    /// Reads from the present position on. Where more of the text is needed than there is in the
    /// window, `read` is called again from the same position.
    pub(super) fn scan<T>(
        &mut self,
        mut read: impl FnMut(&mut Cursor<'_>) -> Result<T, AnswerError>,
    ) -> Result<T, AnswerError> {
        loop {
            let mut cursor = self.window.cursor();
            let found = read(&mut cursor);
            let pos = cursor.pos();
            let enough = match found {
                Ok(_) => self.window.holds(pos, 1),
                Err(_) => self.window.holds(pos, Cursor::AHEAD),
            };
            if enough || !self.window.widen()? {
                let found = found?;
                self.window.step_to(pos);
                return Ok(found);
            }
        }
    }

    /// The kind of the value that begins here.
    pub(super) fn kind(&mut self) -> Result<Kind, AnswerError> {
        self.scan(|c| c.kind())
    }

    /// Steps over a value that stays.
    pub(super) fn skip(&mut self) -> Result<(), AnswerError> {
        self.scan(|c| c.skip())
    }

    /// A place to come back to, as long as nothing after it has been cut.
    pub(super) fn mark(&self) -> usize {
        self.window.pos()
    }

    /// Goes back to a place, to read it a second time.
    pub(super) fn rewind(&mut self, mark: usize) -> Result<(), AnswerError> {
        self.window.rewind(mark)
    }

    /// Reads a part of an item that stays whatever is found in it: what is read can leave before
    /// the item ends. If it is cut all the same, that is an error.
    pub(super) fn staying<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, AnswerError>,
    ) -> Result<T, AnswerError> {
        let undecided = self.undecided;
        self.undecided = undecided.saturating_sub(1);
        let found = read(self);
        self.undecided = undecided;
        found
    }

    /// Calls `keep` at each element of the array that begins here. What it answers `false` for is
    /// cut. Says whether anything stays.
    pub(super) fn elements(
        &mut self,
        keep: impl FnMut(&mut Self) -> Result<bool, AnswerError>,
    ) -> Result<bool, AnswerError> {
        self.list(keep, false)
    }

    /// As [`Self::elements`], of an array that is all that the item around it is for: with the first
    /// element that stays, the item is sure to stay. Where it is a member of that item, the member
    /// itself must be [`Self::staying`].
    pub(super) fn decisive_elements(
        &mut self,
        keep: impl FnMut(&mut Self) -> Result<bool, AnswerError>,
    ) -> Result<bool, AnswerError> {
        self.list(keep, true)
    }

    fn list(
        &mut self,
        mut keep: impl FnMut(&mut Self) -> Result<bool, AnswerError>,
        decisive: bool,
    ) -> Result<bool, AnswerError> {
        self.scan(|c| c.open(b'['))?;
        self.items(b']', decisive, &|_| Ok(()), &mut |e, ()| keep(e))
    }

    /// Calls `keep` at the value of each member of the object that begins here, with what
    /// `classify` makes of its name. What it answers `false` for is cut. Says whether anything
    /// stays.
    pub(super) fn members<K>(
        &mut self,
        classify: impl Fn(Raw<'_>) -> K,
        mut keep: impl FnMut(&mut Self, K) -> Result<bool, AnswerError>,
    ) -> Result<bool, AnswerError> {
        self.scan(|c| c.open(b'{'))?;
        self.items(b'}', false, &|c| c.key().map(&classify), &mut keep)
    }

    // Compiled once for each kind of label, not for each list.
    fn items<K>(
        &mut self,
        close: u8,
        decisive: bool,
        head: &dyn Fn(&mut Cursor<'_>) -> Result<K, AnswerError>,
        keep: &mut dyn FnMut(&mut Self, K) -> Result<bool, AnswerError>,
    ) -> Result<bool, AnswerError> {
        let (mut first, mut any) = (true, false);
        loop {
            let separator = self.window.pos();
            if !self.scan(|c| c.next_item(first, close))? {
                return Ok(any);
            }
            self.window.keep_to(separator)?;
            if self.undecided == 0 || self.undecided == 1 && decisive && any {
                self.window.settle();
            }
            let end_of_output = self.window.written();
            if !any && !first {
                // Whatever stood before is cut, and so its comma goes too.
                self.window.cut();
            }
            let label = self.scan(head)?;
            let undecided = self.undecided;
            self.undecided = undecided.saturating_add(1);
            let stays = keep(self, label)?;
            self.undecided = undecided;
            if stays {
                any = true;
            } else {
                self.window.cut_back(end_of_output)?;
            }
            first = false;
        }
    }

    /// Reads a string and says where its text, with quotes, stands in the output.
    pub(super) fn string_in_output(&mut self) -> Result<(usize, usize), AnswerError> {
        self.scan(|c| {
            c.space();
            Ok(())
        })?;
        let start = self.window.pos();
        self.scan(|c| c.string().map(|_| ()))?;
        let at = self.window.place_in_output(start);
        Ok((
            at,
            at.saturating_add(self.window.pos().saturating_sub(start)),
        ))
    }

    /// Puts other bytes in the place of some of the output. It may grow by no more than was cut
    /// behind it, while the text was read a second time: all of it is in the window then.
    pub(super) fn replace(
        &mut self,
        place: (usize, usize),
        text: &[u8],
    ) -> Result<(), AnswerError> {
        self.window.replace(place, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts all numbers out of an array of numbers and arrays, and arrays that are left empty.
    fn cut(text: &str) -> String {
        fn walk(e: &mut Editor) -> Result<bool, AnswerError> {
            match e.kind()? {
                Kind::Array => e.elements(walk),
                Kind::String | Kind::Null => e.skip().map(|()| true),
                Kind::Object | Kind::Plain => e.skip().map(|()| false),
            }
        }
        let mut e = Editor::new(text.into()).unwrap();
        walk(&mut e).unwrap();
        String::from_utf8(e.finish().unwrap().join()).unwrap()
    }

    #[test]
    fn an_item_goes_with_its_comma() {
        for (text, left) in [
            (r#"["a","b"]"#, r#"["a","b"]"#),
            (r#" [ "a" , "b" ] "#, r#" [ "a" , "b" ] "#),
            (r#"[1,"a","b"]"#, r#"["a","b"]"#),
            (r#"["a",1,"b"]"#, r#"["a","b"]"#),
            (r#"["a","b",1]"#, r#"["a","b"]"#),
            (r#"[1,2,"a",3,4,"b",5]"#, r#"["a","b"]"#),
            ("[1,2]", "[]"),
            ("[]", "[]"),
            (
                r#"[[1],["a",2],[[3]],"b",[[4,"c"]]]"#,
                r#"[["a"],"b",[["c"]]]"#,
            ),
            ("[\n 1,\n \"a\",\n 2\n]", "[\n \"a\"\n]"),
        ] {
            assert_eq!(cut(text), left, "{text}");
        }
    }

    #[test]
    fn a_replacement_may_grow_into_what_was_cut_and_no_further() {
        let run = |text: &str| {
            let mut e = Editor::new(text.into()).unwrap();
            let mut state = None;
            e.elements(|e| {
                e.members(
                    |key| key.is("state"),
                    |e, is_state| {
                        if is_state {
                            state = Some(e.string_in_output()?);
                        } else {
                            e.elements(|e| e.skip().map(|()| false))?;
                        }
                        Ok(true)
                    },
                )?;
                e.replace(state.unwrap(), b"\"pending\"").map(|()| true)
            })?;
            e.finish().map(|b| String::from_utf8(b.join()).unwrap())
        };
        for (text, made) in [
            (
                r#"[{"state":"firing","alerts":[11,2]}]"#,
                Some(r#"[{"state":"pending","alerts":[]}]"#),
            ),
            (
                r#"[{"state":"firing-and-more","alerts":[]}]"#,
                Some(r#"[{"state":"pending","alerts":[]}]"#),
            ),
            (r#"[{"state":"firing","alerts":[]}]"#, None),
        ] {
            assert_eq!(run(text).ok().as_deref(), made, "{text}");
        }
    }

    #[test]
    fn what_stays_whatever_is_in_it_cannot_be_cut() {
        let run = |blocks: &[&str]| {
            let mut e =
                Editor::new(blocks.iter().map(|b| b.as_bytes().to_vec()).collect()).unwrap();
            e.elements(|e| {
                e.staying(|e| e.elements(|e| e.skip().map(|()| true)))?;
                Ok(false)
            })?;
            e.finish().map(Blocks::join)
        };
        // Nothing of it has left, since it came in one block: but what is settled stays settled.
        assert_eq!(run(&["[[1,2,3]]"]), Err(AnswerError::Shape));
        assert_eq!(run(&["[[1,", "2,", "3]]"]), Err(AnswerError::Shape));
        assert_eq!(run(&["[[]]"]), Ok(b"[]".to_vec()));
    }

    #[test]
    fn beside_the_text_there_is_little_more_than_a_window() {
        let item = format!("\"{}\",0,", "x".repeat(1000));
        let text = format!("[{}1]", item.repeat(4000));
        let blocks: Blocks = text
            .as_bytes()
            .chunks(64 << 10)
            .map(<[u8]>::to_vec)
            .collect();
        let mut e = Editor::new(blocks).unwrap();
        let mut widest = 0;
        e.elements(|e| {
            let stays = e.kind()? == Kind::String;
            e.skip()?;
            widest = widest.max(e.window.size());
            Ok(stays)
        })
        .unwrap();
        assert!(widest < 8 << 10, "{widest}");
        let out = e.finish().unwrap().join();
        assert_eq!(out.iter().filter(|b| **b == b'x').count(), 4_000_000);
        assert!(!out.contains(&b'0'));
    }
}
