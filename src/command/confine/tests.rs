//! Lines, one by one.

use super::*;
use clap::Parser;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

fn answers(more: &[&str], input: &[u8]) -> Vec<serde_json::Value> {
    let args = Cli::parse_from(["confine", "--tenant", "a", "--jsonl"].iter().chain(more)).args;
    let mut out = Vec::new();
    // A small buffer, so that lines come in pieces.
    let input = BufReader::with_capacity(16, input);
    Queries::new(&args).unwrap().lines(input, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

#[test]
fn each_line_is_answered_once_and_in_order() {
    let input = b"{\"query\": \"up\"}\n\n[\"up\"]\n{\"query\": 1}\nnonsense\n\xff\n{\"q\":\"up\"}\n{\"query\":\"up\",\"query\":\"x\"}\r\n{\"query\":\"sum(x)\"}";
    let answers = answers(&[], input);
    assert_eq!(answers.len(), 9);
    assert_eq!(answers[0]["confined"], r#"up{tenant_id="a"}"#);
    for answer in &answers[1..8] {
        assert!(answer["refused"].is_string(), "{answer}");
    }
    assert_eq!(answers[8]["confined"], r#"sum(x{tenant_id="a"})"#);
}

#[test]
fn a_line_over_the_limit_is_refused_and_the_next_one_is_served() {
    let mut input = vec![b' '; LONGEST_LINE + 1];
    input.extend_from_slice(b"\n{\"query\":\"up\"}\n");
    let answers = answers(&[], &input);
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[0]["refused"], "the line is too long");
    assert!(answers[1]["confined"].is_string());
}

#[test]
fn several_matchers_are_enforced_together() {
    let answers = answers(
        &["--tenant", "b", "--matcher", "team=x|y"],
        b"{\"query\":\"up\"}",
    );
    assert_eq!(
        answers[0]["confined"],
        r#"up{tenant_id=~"a|b",team=~"x|y"}"#
    );
}

/// A peer that sends the next question only after the answer to the last.
struct OneAtATime<'a> {
    questions: Vec<&'static [u8]>,
    answered: &'a std::cell::Cell<usize>,
    asked: usize,
}

impl Read for OneAtATime<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert_eq!(
            self.asked,
            self.answered.get(),
            "waited for input before answering"
        );
        let Some(question) = self.questions.pop() else {
            return Ok(0);
        };
        self.asked += 1;
        buffer[..question.len()].copy_from_slice(question);
        Ok(question.len())
    }
}

struct Flushed<'a>(Vec<u8>, &'a std::cell::Cell<usize>);

impl Write for Flushed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.1.set(self.0.iter().filter(|b| **b == b'\n').count());
        Ok(())
    }
}

#[test]
fn an_interactive_peer_gets_each_answer_at_once() {
    let answered = std::cell::Cell::new(0);
    let questions: Vec<&[u8]> = vec![
        b"{\"query\":\"a\"}\n",
        b"{\"query\":\"b\"}\n",
        b"{\"query\":\"c\"}\n",
    ];
    let peer = OneAtATime {
        questions,
        answered: &answered,
        asked: 0,
    };
    let args = Cli::parse_from(["confine", "--tenant", "a", "--jsonl"]).args;
    let mut out = Flushed(Vec::new(), &answered);
    Queries::new(&args)
        .unwrap()
        .lines(BufReader::new(peer), &mut out)
        .unwrap();
    assert_eq!(out.0.iter().filter(|b| **b == b'\n').count(), 3);
}
