//! Secrets that a person types or a program hands over on standard input; never by an argument.

use std::io::{self, BufRead, IsTerminal};

use flowork_vault::Secret;

use crate::exit::{Exit, Failure};

/// Reads without echo from a terminal, else the first line of standard input, of which no copy stays behind. Spaces
/// around it are not part of it.
pub(crate) fn read(prompt: &str, bytes_max: usize) -> Result<Secret, Failure> {
    let read = if io::stdin().is_terminal() {
        rpassword::prompt_password(prompt).map(|typed| Secret::new(typed.into_bytes()))
    } else {
        first_line(io::stdin().lock(), bytes_max)
    };
    let line = read.map_err(|error| Failure::from_error(Exit::Failed, "INPUT", &error))?;
    Ok(Secret::new(line.expose().trim_ascii().to_vec()))
}

/// The buffer has its full size from the start: one that grew would leave what it had behind.
fn first_line(source: impl BufRead, bytes_max: usize) -> io::Result<Secret> {
    let mut line = Vec::with_capacity(bytes_max + 1);
    let read = source.take(bytes_max as u64 + 1).read_until(b'\n', &mut line);
    let (length, line) = (line.len(), Secret::new(line));
    read?;
    if length > bytes_max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("the secret has more than {bytes_max} bytes")));
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_line_is_read_and_too_much_is_refused() {
        assert_eq!(first_line(&b"one\ntwo\n"[..], 10).unwrap().expose(), b"one\n");
        assert_eq!(first_line(&b""[..], 10).unwrap().expose(), b"");
        assert_eq!(first_line(&[b'x'; 11][..], 10).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
