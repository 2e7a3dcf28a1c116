//! Generated documents of rules: what stays is byte for byte what was sent, in its order; what goes
//! leaves no byte; and where everything is in scope, the answer is the document.

use promfence::respond::{self, RuleOptions};
use promfence::scope::{Enforced, Scope};
use promfence::tenant::LabelName;

use super::choices::Choices;

/// What only a rule of another tenant has.
const FOREIGN: &str = "canary-of-b";

/// Values of members that nobody knows.
const VALUES: &[&str] = &[
    "null",
    "[1,{\"x\":[]}]",
    "{}",
    "1e-7",
    "true",
    "\"\\\"}],[{\"",
];

/// A document while it is written.
struct Writer<'a> {
    choices: Choices<'a>,
    text: String,
    /// Texts of the rules in scope, in order.
    kept: Vec<String>,
    foreign: usize,
}

/// One run.
pub fn fuzz(data: &[u8]) {
    let mut writer = Writer {
        choices: Choices::new(data),
        text: String::new(),
        kept: Vec::new(),
        foreign: 0,
    };
    writer.document();
    let label = LabelName::parse("tenant_id").unwrap();
    let scope = Scope::new(vec![Enforced::values(label, ["a"]).unwrap()]);
    for active_alerts in [false, true] {
        let options = RuleOptions {
            active_alerts,
            unlabelled: false,
        };
        let out = respond::rules(writer.text.clone().into_bytes().into(), &scope, options);
        let out = out.unwrap_or_else(|e| panic!("{e}: {}", writer.text));
        let out = String::from_utf8(out.join());
        judge(&writer, &out.unwrap());
    }
    let unlimited = respond::rules(
        writer.text.clone().into_bytes().into(),
        &Scope::new(Vec::new()),
        RuleOptions::default(),
    );
    assert_eq!(unlimited.unwrap().join(), writer.text.as_bytes());
}

fn judge(writer: &Writer<'_>, out: &str) {
    let json: Result<serde_json::Value, _> = serde_json::from_str(out);
    assert!(json.is_ok(), "{out}");
    assert!(!out.contains(FOREIGN), "{out}");
    let mut at = 0;
    for rule in &writer.kept {
        let found = out[at..].find(rule.as_str());
        at += found.unwrap_or_else(|| panic!("{rule} is not in {out}")) + rule.len();
    }
    if writer.foreign == 0 {
        assert_eq!(out, writer.text);
    }
}

impl Writer<'_> {
    fn document(&mut self) {
        self.push("{");
        // An unknown list beside `data` goes: it may list what others own.
        self.unknown(&["null", "1e-7", "true", "\"\\\"}],[{\""]);
        self.push("\"status\":");
        self.push("\"success\",\"data\":{\"groups\":[");
        for i in 0..self.choices.below(4) {
            self.comma(i);
            self.group();
        }
        self.push("]");
        if self.choices.once_in(4) {
            self.push(",\"groupNextToken\":\"t\"");
        }
        self.push("}}");
        self.space();
    }

    fn group(&mut self) {
        self.push("{");
        self.unknown(VALUES);
        self.push("\"name\":");
        let before = self.text.len();
        // A name with the canary would stay with the group's other rules.
        self.string();
        assert!(!self.text[before..].contains(FOREIGN));
        self.push(",\"rules\":[");
        // A group without any rule is cut: it would be no loss, but not these bytes either.
        for i in 0..1 + self.choices.below(4) {
            self.comma(i);
            self.rule();
        }
        self.push("],\"interval\":");
        self.number();
        self.push("}");
    }

    fn rule(&mut self) {
        let own = !self.choices.once_in(3);
        let start = self.text.len();
        self.text.push('{');
        self.unknown(VALUES);
        self.push("\"name\":");
        self.string();
        self.push(",\"labels\":{");
        if self.choices.once_in(2) {
            self.push("\"severity\":");
            self.string();
            self.push(",");
        }
        let tenant = if own { "\"a\"" } else { "\"b\"" };
        let escaped = if own { "\"\\u0061\"" } else { "\"\\u0062\"" };
        let value = if self.choices.once_in(3) {
            escaped
        } else {
            tenant
        };
        let name = self
            .choices
            .one_of(&["\"tenant_id\"", "\"tenant\\u005fid\""]);
        self.text.push_str(&format!("{name}:{value}}}"));
        if !own {
            self.foreign += 1;
            self.text.push_str(&format!(",\"query\":\"{FOREIGN}\""));
        }
        self.push(",\"evaluationTime\":");
        self.number();
        self.push(",\"type\":\"recording\"");
        self.text.push('}');
        if own {
            self.kept.push(self.text[start..].to_owned());
        }
    }

    /// Members that no release of today sends.
    fn unknown(&mut self, values: &[&str]) {
        while self.choices.once_in(4) {
            let value = self.choices.one_of(values);
            let name = self.choices.one_of(&["x", "annotations2", "\\u00e9", ""]);
            self.text.push_str(&format!("\"{name}\":{value},"));
        }
    }

    fn number(&mut self) {
        let text = self.choices.one_of(&["0", "1.50", "-0.0", "1E+2", "60"]);
        self.push(text);
    }

    fn string(&mut self) {
        let text = self.choices.one_of(&[
            "\"up\"",
            "\"\"",
            "\"a\\\"]},{\\\\\"",
            "\"\\ud83d\\ude00\"",
            "\"\u{e9}\u{2028}\"",
            "\"\\u0000\"",
        ]);
        self.push(text);
    }

    fn comma(&mut self, i: usize) {
        if i > 0 {
            self.push(",");
        }
    }

    fn push(&mut self, text: &str) {
        self.space();
        self.text.push_str(text);
    }

    fn space(&mut self) {
        if self.choices.once_in(8) {
            let text = self.choices.one_of(&[" ", "\n  ", "\t", "\r\n"]);
            self.text.push_str(text);
        }
    }
}
