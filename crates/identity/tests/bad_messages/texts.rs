//! Texts that are nearly messages.

/// Texts that EIP-4361 does not have, made from one that it has.
pub(crate) fn bad_texts(good: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut replace = |from: &str, to: &str| {
        assert!(good.contains(from), "{from:?} is not in the message");
        texts.push(good.replacen(from, to, 1));
    };
    // The first line.
    for domain in
        ["", " ", "evil example", "user@127.0.0.1:7717", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:0", "127.0.0.1:99999"]
    {
        replace("http://127.0.0.1:7717 wants", &format!("http://{domain} wants"));
    }
    for domain in ["127.0.0.1/x", "127.0.0.1?x", "127.0.0.1#x", "[::1", "::1]", "<b>", "a\\b", "http://a", "\"a\""] {
        replace("http://127.0.0.1:7717 wants", &format!("http://{domain} wants"));
    }
    for scheme in ["", "1http", "ht tp", "http:", "-", "ht_tp"] {
        replace("http://127", &format!("{scheme}://127"));
    }
    for line in [
        "wants you to sign in with your ethereum account:",
        "wants you to sign in with your Ethereum account",
        "wants you to sign in with your Ethereum account: ",
        "wants  you to sign in with your Ethereum account:",
        "wants you to sign in with your Bitcoin account:",
        "asks you to sign in with your Ethereum account:",
        "",
    ] {
        replace("wants you to sign in with your Ethereum account:", line);
    }
    // The address: its form and its checksum.
    let address = good.lines().nth(1).unwrap();
    for other in [
        address.to_ascii_lowercase(),
        address.replace("0x", "0X"),
        address[2..].to_owned(),
        address[..41].to_owned(),
        format!("{address}0"),
        format!(" {address}"),
        format!("{address} "),
        String::new(),
        "flowork.eth".to_owned(),
        address.replacen(char::is_numeric, "g", 3),
        format!("0x{}", address[2..].to_ascii_uppercase()),
    ] {
        replace(address, &other);
    }
    // The empty lines and the statement.
    for statement in [
        "\n\nSign in to Flowork.\n",
        "\nSign in to Flowork.\n\n\n",
        "\nSign in to Flowork.",
        "\n\n\n\n",
        "\nSign in\nto Flowork.\n\n",
        "\n Sign in to Flowork\".\n\n",
        "\nSign in <b>now</b>.\n\n",
        "\n{}\n\n",
        "\n`x`\n\n",
        "\n100%\n\n",
        "\na|b\n\n",
        "\na\\b\n\n",
        "\n^\n\n",
    ] {
        replace("\nSign in to Flowork.\n\n", statement);
    }
    replace("\n\nSign in", "\nSign in");
    // Each field: left out, another name, no value, spaces, twice, at another place.
    let fields: Vec<&str> = good.lines().skip(5).collect();
    for (index, field) in fields.iter().enumerate() {
        let (name, value) = field.split_once(": ").unwrap();
        let line = format!("\n{field}");
        if name != "Expiration Time" {
            replace(&line, "");
        }
        replace(&line, &format!("\n{name}:{value}"));
        replace(&line, &format!("\n{name}: "));
        replace(&line, &format!("\n{name}:  {value}"));
        replace(&line, &format!("\n{name}: {value} "));
        replace(&line, &format!("\n {name}: {value}"));
        replace(&line, &format!("\n{}: {value}", name.to_ascii_lowercase()));
        replace(&line, &format!("\n{name} : {value}"));
        replace(&line, &format!("\n{name}= {value}"));
        replace(&line, &format!("\n\n{field}"));
        replace(&line, &format!("{line}{line}"));
        replace(&line, &format!("\nX-{name}: {value}"));
        if let Some(next) = fields.get(index + 1) {
            replace(&format!("{line}\n{next}"), &format!("\n{next}{line}"));
        }
    }
    let mut value = |name: &str, values: &[&str]| {
        let line = fields.iter().find(|line| line.starts_with(name)).unwrap();
        texts.extend(values.iter().map(|value| good.replacen(line, &format!("{name}: {value}"), 1)));
    };
    value(
        "URI",
        &[
            "127.0.0.1",
            "//127.0.0.1",
            "http:",
            "http://",
            "http://a b",
            "http://a\"",
            "http://a%2",
            "http://a%zz",
            "http://[::1",
            "1http://a",
            "http://a<",
            "http://a\\b",
            ":x",
            "http://:80",
        ],
    );
    value("Version", &["0", "2", "01", "1.0", "1 ", "one", "11", "-1"]);
    value(
        "Chain ID",
        &["0", "01", "-1", "+1", "1.0", "0x1", "1e3", "one", "1 000", "9999999999999999999", "18446744073709551617"],
    );
    value(
        "Nonce",
        &[
            "short12",
            "with-dash-1",
            "with space1",
            "under_score",
            "quote'quote",
            &"n".repeat(129),
            "12345678!",
            "%20%20%20%20",
        ],
    );
    let times = [
        "yesterday",
        "2027-01-15",
        "2027-01-15 08:00:00Z",
        "2027-01-15T08:00:00",
        "2027-01-15t08:00:00Z",
        "2027-01-15T08:00:00z",
        "2027-13-15T08:00:00Z",
        "2027-02-30T08:00:00Z",
        "2027-01-15T25:00:00Z",
        "2027-01-15T08:61:00Z",
        "2027-01-15T08:00:60Z",
        "2027-01-15T08:00:00+0100",
        "2027-01-15T08:00Z",
        "2027-01-15T08:00:00.Z",
        "27-01-15T08:00:00Z",
        "+2027-01-15T08:00:00Z",
        "2027-01-15T08:00:00.1234567890Z",
        "2027-01-15T08:00:00Z[UTC]",
        "1800000000",
        "20270115T080000Z",
    ];
    value("Issued At", &times);
    value("Expiration Time", &times);
    // After the last field.
    let more = [
        "\n",
        "\n\n",
        " ",
        "\nNot Before: soon",
        "\nNot Before: ",
        "\nRequest ID: a b",
        "\nRequest ID: a/b",
        "\nRequest ID: \"",
        "\nRequest ID: %1",
        "\nExtra: field",
        "\nResources",
        "\nResources: ",
        "\nResources:\n",
        "\nResources:\nhttp://a",
        "\nResources:\n-http://a",
        "\nResources:\n- ",
        "\nResources:\n- a b",
        "\nResources:\n- nothing",
        "\nResources:\n- http://a\n",
        "\nResources:\n- http://a\nExtra: 1",
        "\nResources:\n* http://a",
        "\nresources:\n- http://a",
        "\nResources:\n- http://a\nRequest ID: late",
        "\nRequest ID: 1\nNot Before: 2027-01-15T08:00:00Z",
    ];
    texts.extend(more.iter().map(|more| format!("{good}{more}")));
    texts.push(format!("{good}\nResources:{}", "\n- http://a".repeat(33)));
    // Bytes that are not text of a message.
    for bad in ["\r\n", "\t", "\0", "\u{7f}", "\u{a0}", "\u{202e}", "é", "\u{200b}", "\u{2028}", "\r"] {
        texts.extend([
            format!("{bad}{good}"),
            format!("{good}{bad}"),
            good.replacen("Sign in", &format!("Sign{bad}in"), 1),
        ]);
    }
    texts.push(good.replace('\n', "\r\n"));
    texts.extend([
        String::new(),
        "\n".to_owned(),
        "hello".to_owned(),
        "{}".to_owned(),
        format!("\n{good}"),
        format!(" {good}"),
    ]);
    texts.push(format!("{good}\nRequest ID: {}", "x".repeat(5_000)));
    texts
}
