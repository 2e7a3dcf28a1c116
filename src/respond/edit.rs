//! Cutting items out of a JSON text in place: what stays is moved down, never rewritten.

use super::AnswerError;
use super::json::{Cursor, Kind, Raw};

/// A JSON text that is read once from front to back while items are cut out of it.
///
/// INVARIANT: `write <= flushed <= pos <= body.len()`. The bytes before `write` are the output,
/// those from `flushed` to `pos` were read and will stay, unless they are cut.
#[derive(Debug)]
pub(super) struct Editor {
    body: Vec<u8>,
    pos: usize,
    flushed: usize,
    write: usize,
}

impl Editor {
    /// An editor at the start of a text that must be UTF-8.
    pub(super) fn new(body: Vec<u8>) -> Result<Self, AnswerError> {
        std::str::from_utf8(&body).map_err(|_| AnswerError::Json)?;
        Ok(Self {
            body,
            pos: 0,
            flushed: 0,
            write: 0,
        })
    }

    /// The output. Nothing but space may be left to read.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, AnswerError> {
        self.scan(|c| c.end())?;
        self.flush(self.body.len());
        self.body.truncate(self.write);
        Ok(self.body)
    }

    /// Reads from the present position on.
    pub(super) fn scan<T>(
        &mut self,
        read: impl FnOnce(&mut Cursor<'_>) -> Result<T, AnswerError>,
    ) -> Result<T, AnswerError> {
        let mut cursor = Cursor::resume(&self.body, self.pos);
        let found = read(&mut cursor)?;
        self.pos = cursor.pos();
        Ok(found)
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
        self.pos
    }

    /// Goes back to a place, to read it a second time.
    pub(super) fn rewind(&mut self, mark: usize) -> Result<(), AnswerError> {
        if mark < self.flushed || mark > self.pos {
            return Err(AnswerError::Shape);
        }
        self.pos = mark;
        Ok(())
    }

    /// Calls `keep` at each element of the array that begins here. What it answers `false` for is
    /// cut. Says whether anything stays.
    pub(super) fn elements(
        &mut self,
        mut keep: impl FnMut(&mut Self) -> Result<bool, AnswerError>,
    ) -> Result<bool, AnswerError> {
        self.scan(|c| c.open(b'['))?;
        self.items(b']', |_| Ok(()), |e, ()| keep(e))
    }

    /// Calls `keep` at the value of each member of the object that begins here, with what
    /// `classify` makes of its name. What it answers `false` for is cut. Says whether anything
    /// stays.
    pub(super) fn members<K>(
        &mut self,
        classify: impl Fn(Raw<'_>) -> K,
        keep: impl FnMut(&mut Self, K) -> Result<bool, AnswerError>,
    ) -> Result<bool, AnswerError> {
        self.scan(|c| c.open(b'{'))?;
        self.items(b'}', |c| c.key().map(&classify), keep)
    }

    fn items<K>(
        &mut self,
        close: u8,
        head: impl Fn(&mut Cursor<'_>) -> Result<K, AnswerError>,
        mut keep: impl FnMut(&mut Self, K) -> Result<bool, AnswerError>,
    ) -> Result<bool, AnswerError> {
        let (mut first, mut any) = (true, false);
        loop {
            let separator = self.pos;
            if !self.scan(|c| c.next_item(first, close))? {
                return Ok(any);
            }
            self.flush(separator);
            let end_of_output = self.write;
            if !any && !first {
                // Whatever stood before is cut, and so its comma goes too.
                self.flushed = self.pos;
            }
            let label = self.scan(&head)?;
            if keep(self, label)? {
                any = true;
            } else {
                self.write = end_of_output;
                self.flushed = self.pos;
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
        let start = self.pos;
        self.scan(|c| c.string().map(|_| ()))?;
        let at = self.write + (start - self.flushed);
        Ok((at, at + (self.pos - start)))
    }

    /// Puts other bytes in the place of some of the output. It may grow by no more than was cut.
    pub(super) fn replace(
        &mut self,
        (start, end): (usize, usize),
        text: &[u8],
    ) -> Result<(), AnswerError> {
        self.flush(self.pos);
        let new_end = start + text.len();
        let new_write = (self.write + text.len())
            .checked_sub(end.saturating_sub(start))
            .filter(|w| *w <= self.flushed && start <= end && end <= self.write)
            .ok_or(AnswerError::Shape)?;
        self.body.copy_within(end..self.write, new_end);
        if let Some(place) = self.body.get_mut(start..new_end) {
            place.copy_from_slice(text);
        }
        self.write = new_write;
        Ok(())
    }

    fn flush(&mut self, to: usize) {
        if let Some(len) = to.checked_sub(self.flushed) {
            if self.write != self.flushed {
                self.body.copy_within(self.flushed..to, self.write);
            }
            self.write += len;
            self.flushed = to;
        }
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
        String::from_utf8(e.finish().unwrap()).unwrap()
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
            e.scan(|c| c.open(b'[')).unwrap();
            let at = e.string_in_output().unwrap();
            e.scan(|c| c.next_item(false, b']')).unwrap();
            e.elements(|e| e.skip().map(|()| false)).unwrap();
            e.replace(at, b"\"pending\"")?;
            e.scan(|c| c.next_item(false, b']')).unwrap();
            e.finish().map(|b| String::from_utf8(b).unwrap())
        };
        assert_eq!(run(r#"["firing",[11,2]]"#).unwrap(), r#"["pending",[]]"#);
        assert_eq!(
            run(r#"["firing-and-more",[]]"#).unwrap(),
            r#"["pending",[]]"#
        );
        assert!(run(r#"["firing",[]]"#).is_err());
    }
}
