//! Events and results as JSON objects, each on a line of its own (NDJSON): `--json`.
//!
//! A server's `events.rs` gives an event its line and its fields in one call ([`log`]'s
//! key-values), so that neither can be forgotten. `docs/json.md` describes the objects.

use std::io::{self, Write};
use std::time::SystemTime;

use log::Record;
use log::kv::{self, Key, Value, VisitSource, VisitValue};

use crate::duration::Millis;
use crate::output::{Time, rfc3339};
use crate::percent::Percent;

/// The version of the schema, which every object names. The version changes if a field is
/// removed or gets another meaning. It does not change if a field is added.
pub const SCHEMA: u32 = 1;

/// Writes `record` as an object, with the time if there is one.
///
/// # Errors
/// Those of `out`.
pub fn write(mut out: impl Write, record: &Record<'_>, time: Option<Time>) -> io::Result<()> {
    let mut object = Object { out: &mut out };
    object.begin(time)?;
    record.key_values().visit(&mut object).map_err(io::Error::other)?;
    out.write_all(b"}\n")
}

/// A value in an object that does not come from a log record.
#[derive(Clone, Debug)]
pub enum Field {
    /// A string.
    Text(String),
    /// A whole number.
    Number(u64),
    /// A time in milliseconds.
    Millis(Millis),
    /// A time of the wall clock.
    Time(SystemTime),
    /// A share in percent.
    Percent(Percent),
    /// `true` or `false`
    Truth(bool),
    /// An object with fields of its own.
    Object(Vec<(&'static str, Field)>),
    /// A list of values.
    List(Vec<Field>),
    /// `null`
    Nothing,
}

/// An object that does not come from a log record, with the time if there is one.
#[must_use]
pub fn object(event: &str, time: Option<Time>, fields: &[(&str, Field)]) -> String {
    let mut line = Vec::new();
    // Writing to memory does not fail.
    let _ = write_object(&mut line, event, time, fields);
    String::from_utf8_lossy(&line).into_owned()
}

fn write_object(
    line: &mut Vec<u8>,
    event: &str,
    time: Option<Time>,
    fields: &[(&str, Field)],
) -> io::Result<()> {
    let mut object = Object { out: &mut *line };
    object.begin(time)?;
    object.field("event", event)?;
    for (key, value) in fields {
        object.key(key)?;
        write_value(object.out, value)?;
    }
    line.write_all(b"}\n")
}

fn write_value(out: &mut Vec<u8>, value: &Field) -> io::Result<()> {
    match value {
        Field::Text(text) => serde_json::to_writer(out, text)?,
        Field::Number(number) => write!(out, "{number}")?,
        Field::Millis(time) => write!(out, "{time}")?,
        Field::Time(time) => write!(out, "\"{}\"", rfc3339(*time))?,
        Field::Percent(percent) => write!(out, "{percent}")?,
        Field::Truth(truth) => write!(out, "{truth}")?,
        Field::Nothing => out.write_all(b"null")?,
        Field::Object(fields) => {
            let mut separator = '{';
            for (key, value) in fields {
                write!(out, "{separator}\"{key}\":")?;
                write_value(out, value)?;
                separator = ',';
            }
            out.write_all(b"}")?;
        }
        Field::List(values) => {
            out.write_all(b"[")?;
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.write_all(b",")?;
                }
                write_value(out, value)?;
            }
            out.write_all(b"]")?;
        }
    }
    Ok(())
}

/// An object that is being written.
struct Object<'a, W> {
    out: &'a mut W,
}

impl<W: Write> Object<'_, W> {
    fn begin(&mut self, time: Option<Time>) -> io::Result<()> {
        write!(self.out, "{{\"schema\":{SCHEMA}")?;
        time.map_or(Ok(()), |time| write!(self.out, ",\"time\":\"{time}\""))
    }

    fn field(&mut self, key: &str, value: &str) -> io::Result<()> {
        self.key(key)?;
        Ok(serde_json::to_writer(&mut *self.out, value)?)
    }

    fn key(&mut self, key: &str) -> io::Result<()> {
        // Keys are words of ours, so there is nothing to escape.
        self.out.write_all(b",\"")?;
        self.out.write_all(key.as_bytes())?;
        self.out.write_all(b"\":")
    }
}

impl<'kvs, W: Write> VisitSource<'kvs> for Object<'_, W> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        self.key(key.as_str())?;
        value.visit(self)
    }
}

impl<W: Write> VisitValue<'_> for Object<'_, W> {
    /// Events have strings, unsigned whole numbers and nulls. Any other value is written as
    /// null: printing floating-point numbers too would make a binary 15 KB larger.
    fn visit_any(&mut self, _: Value<'_>) -> Result<(), kv::Error> {
        self.visit_null()
    }

    fn visit_str(&mut self, value: &str) -> Result<(), kv::Error> {
        Ok(serde_json::to_writer(&mut *self.out, value).map_err(io::Error::from)?)
    }

    fn visit_null(&mut self) -> Result<(), kv::Error> {
        Ok(self.out.write_all(b"null")?)
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        Ok(write!(self.out, "{value}")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use humantime::{format_rfc3339_millis, parse_rfc3339};

    #[test]
    fn numbers_are_numbers_and_strings_are_escaped() {
        let source = [
            ("event", Value::from("received")),
            ("bytes", Value::from(17_u64)),
            ("message", Value::from("a \"b\" \\n 中文")),
            ("dropped_kernel", Value::null()),
        ];
        let record = Record::builder().key_values(&source).build();
        let mut line = Vec::new();
        let time = format_rfc3339_millis(parse_rfc3339("2026-01-01T00:00:00.000Z").unwrap());
        write(&mut line, &record, Some(time)).unwrap();
        assert_eq!(
            String::from_utf8(line).unwrap(),
            concat!(
                r#"{"schema":1,"time":"2026-01-01T00:00:00.000Z","event":"received","bytes":17,"#,
                r#""message":"a \"b\" \\n 中文","dropped_kernel":null}"#,
                "\n"
            )
        );
    }

    #[test]
    fn an_object_without_a_record() {
        assert_eq!(
            object("missing", None, &[("lines", Field::Number(3))]),
            "{\"schema\":1,\"event\":\"missing\",\"lines\":3}\n"
        );
    }
}
