//! Query strings and forms as Go reads them, and nothing that Go would drop.

/// Names and values in order.
#[derive(Debug)]
pub struct Pairs(pub Vec<(String, String)>);

impl Pairs {
    /// Reads a query string that Go understands as a whole.
    pub fn read(text: &str) -> Self {
        assert!(
            !text.contains(';'),
            "Go drops a pair with a semicolon: {text}"
        );
        let pairs = text.split('&').filter(|p| !p.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (unescaped(name), unescaped(value))
                })
                .collect(),
        )
    }

    /// The values of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let found = self.0.iter().filter(move |(n, _)| n == name);
        found.map(|(_, v)| v.as_str())
    }
}

fn unescaped(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(b) = bytes.next() {
        out.push(match b {
            b'+' => b' ',
            b'%' => {
                let mut digit = || {
                    let c = bytes.next().and_then(|b| char::from(b).to_digit(16));
                    c.unwrap_or_else(|| panic!("Go drops a pair with a bad escape: {text}"))
                };
                u8::try_from(digit() * 16 + digit()).unwrap()
            }
            0..=b' ' | 0x7f.. => panic!("a byte that must be escaped: {text:?}"),
            other => other,
        });
    }
    String::from_utf8(out).expect("values are text")
}
