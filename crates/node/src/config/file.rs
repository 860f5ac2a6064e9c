//! `config.toml`, as dotted keys with the lines they are on.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::{ConfigError, Place, settings, value::Value};

/// Reads the text of a `config.toml` into `(key, value, line)`.
pub(super) fn read(path: &Path, text: &str) -> Result<Vec<(String, Value, Place)>, ConfigError> {
    let reader = Reader { path, text };
    let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        place: reader.place(error.span().map_or(0, |span| span.start)),
        reason: error.message().to_owned(),
    })?;
    let mut values = Vec::new();
    reader.walk("", table.get_ref(), &mut values)?;
    Ok(values)
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Reader<'_> {
    fn walk(
        &self,
        prefix: &str,
        table: &DeTable<'_>,
        into: &mut Vec<(String, Value, Place)>,
    ) -> Result<(), ConfigError> {
        for (name, value) in table {
            let place = self.place(name.span().start);
            let key =
                if prefix.is_empty() { name.get_ref().to_string() } else { format!("{prefix}.{}", name.get_ref()) };
            match (settings::find(&key), value.get_ref()) {
                (Some(setting), DeValue::Table(inner)) if setting.takes_dotted_names() => {
                    self.walk(&key, inner, into)?;
                }
                (Some(setting), _) if !setting.in_file => {
                    return Err(ConfigError::NotInFile { place, key: setting.key });
                }
                (Some(setting), found) => match setting.kind.parse_toml(found) {
                    Some(value) if setting.is_called(&key) => into.push((setting.key.to_owned(), value, place)),
                    Some(value) => into.push((key, value, place)),
                    None => {
                        let found = self.text[value.span()].chars().take(60).collect();
                        return Err(ConfigError::WrongValue { place, key, expected: setting.kind.expected(), found });
                    }
                },
                (None, DeValue::Table(inner)) if settings::is_table(&key) => self.walk(&key, inner, into)?,
                (None, found) if settings::is_table(&key) => {
                    let expected = format!("a table, [{key}]");
                    return Err(ConfigError::WrongValue { place, key, expected, found: found.type_str().to_owned() });
                }
                (None, _) => return Err(ConfigError::UnknownKey { place, nearest: settings::nearest(&key), key }),
            }
        }
        Ok(())
    }

    fn place(&self, offset: usize) -> Place {
        let line = self.text[..self.text.floor_char_boundary(offset)].matches('\n').count() + 1;
        Place::File { path: self.path.to_owned(), line }
    }
}
