//! The body of Alertmanager's `POST /api/v2/alerts`.

use std::borrow::Cow;

use super::BodyError;
use super::read::{Texts, object, once, text, texts};
use super::write::{Writer, write_texts};
use crate::respond::json::Cursor;
use crate::scope::Scope;

/// Confines the body of Alertmanager's `POST /api/v2/alerts`: each alert gets the enforced labels.
///
/// # Errors
/// The body is not exactly a list of alerts, or cannot be confined: a 400.
pub fn post_alerts(body: &[u8], scope: &Scope) -> Result<Vec<u8>, BodyError> {
    let mut c = Cursor::new(body)?;
    let mut out = Vec::with_capacity(body.len() + body.len() / 4 + 64);
    out.push(b'[');
    c.open(b'[')?;
    let mut first = true;
    while c.next_item(first, b']')? {
        if !first {
            out.push(b',');
        }
        first = false;
        Alert::read(&mut c)?.write(scope, &mut out)?;
    }
    out.push(b']');
    c.end()?;
    Ok(out)
}

#[derive(Default)]
struct Alert<'a> {
    labels: Option<Texts<'a>>,
    annotations: Option<Texts<'a>>,
    starts: Option<Cow<'a, str>>,
    ends: Option<Cow<'a, str>>,
    generator: Option<Cow<'a, str>>,
}

impl<'a> Alert<'a> {
    fn read(c: &mut Cursor<'a>) -> Result<Self, BodyError> {
        let mut alert = Self::default();
        object(c, |c, key| {
            if key.is("labels") {
                once(&mut alert.labels, "labels", texts(c, "labels"))
            } else if key.is("annotations") {
                once(
                    &mut alert.annotations,
                    "annotations",
                    texts(c, "annotations"),
                )
            } else if key.is("startsAt") {
                once(&mut alert.starts, "startsAt", text(c, "startsAt"))
            } else if key.is("endsAt") {
                once(&mut alert.ends, "endsAt", text(c, "endsAt"))
            } else if key.is("generatorURL") {
                once(
                    &mut alert.generator,
                    "generatorURL",
                    text(c, "generatorURL"),
                )
            } else {
                Err(BodyError::Member("the alert"))
            }
        })?;
        Ok(alert)
    }

    fn write(self, scope: &Scope, out: &mut Vec<u8>) -> Result<(), BodyError> {
        let mut labels = self.labels.ok_or(BodyError::Member("labels"))?;
        for enforced in scope.matchers() {
            let name = enforced.label().as_str();
            match labels.iter().find(|(n, _)| n == name) {
                Some((_, value)) if enforced.admits(value) => {}
                Some(_) => return Err(BodyError::Foreign),
                None => {
                    let value = enforced.single().ok_or(BodyError::Ambiguous)?;
                    labels.push((name.to_string().into(), value.to_string().into()));
                }
            }
        }
        let mut object = Writer::new(out);
        object.raw("labels", |out| write_texts(&labels, out));
        if let Some(annotations) = &self.annotations {
            object.raw("annotations", |out| write_texts(annotations, out));
        }
        let rest = [
            ("startsAt", &self.starts),
            ("endsAt", &self.ends),
            ("generatorURL", &self.generator),
        ];
        for (name, value) in rest {
            if let Some(value) = value {
                object.text(name, value);
            }
        }
        object.end();
        Ok(())
    }
}
