//! Used bytes of claims: from a list that people write, or what the kubelet's summary says (`/api/v1/nodes/NODE/proxy/stats/summary`).

use std::collections::BTreeMap;

use crate::units::Size;

/// Returns used bytes by claim, `namespace/name`. The error is what is wrong, with its line.
///
/// A list has lines `namespace/claim SIZE`, where the size is a number of bytes or has a unit (`38GiB`, `38Gi`); `#` begins a
/// comment. JSON is one summary of a kubelet, or a list of them.
pub fn read(text: &str) -> Result<BTreeMap<String, Size>, String> {
    if text.trim_start().starts_with(['{', '[']) {
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut used = BTreeMap::new();
        summaries(&value, &mut used)?;
        return if used.is_empty() { Err("it has no volumes of claims".to_owned()) } else { Ok(used) };
    }
    let mut used = BTreeMap::new();
    for (number, line) in (1_usize..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let wrong = || format!("line {number}: `namespace/claim SIZE` is wanted, such as `apps/gitea-data 38GiB`");
        let (claim, size) = line.split_once(char::is_whitespace).ok_or_else(wrong)?;
        if claim.split('/').filter(|part| !part.is_empty()).count() != 2 {
            return Err(wrong());
        }
        used.insert(claim.to_owned(), parse_size(size.trim()).ok_or_else(wrong)?);
    }
    Ok(used)
}

/// Returns used bytes by claim as one kubelet tells them; a node without claims has none.
pub fn of_kubelet(text: &str) -> Result<BTreeMap<String, Size>, String> {
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|_| "the answer is cut off, or no JSON".to_owned())?;
    let mut used = BTreeMap::new();
    summaries(&value, &mut used)?;
    Ok(used)
}

fn parse_size(text: &str) -> Option<Size> {
    // `du` and Kubernetes leave the B out; a bare number counts bytes.
    let whole = if text.ends_with(|c: char| c.is_ascii_digit() || c.is_ascii_alphabetic() && c != 'B') {
        format!("{text}B")
    } else {
        text.to_owned()
    };
    whole.parse().ok()
}

/// Adds what summaries say; several pods that mount one claim say the same.
fn summaries(value: &serde_json::Value, used: &mut BTreeMap<String, Size>) -> Result<(), String> {
    if let Some(list) = value.as_array() {
        return list.iter().try_for_each(|summary| summaries(summary, used));
    }
    let list = |value: &serde_json::Value, key: &str| {
        value.get(key).and_then(|list| list.as_array()).cloned().unwrap_or_default()
    };
    for pod in list(value, "pods") {
        for volume in list(&pod, "volume") {
            let word = |key: &str| volume.pointer(&format!("/pvcRef/{key}")).and_then(|word| word.as_str());
            let (Some(namespace), Some(name)) = (word("namespace"), word("name")) else { continue };
            let Some(bytes) = volume.get("usedBytes").and_then(serde_json::Value::as_u64) else { continue };
            let size = format!("{bytes}B").parse().map_err(|_| format!("{namespace}/{name}: {bytes} is no size"))?;
            used.insert(format!("{namespace}/{name}"), size);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_and_kubelets_write_them() {
        let used = read("# from df\napps/gitea-data 38GiB\napps/db\t1048576\napps/x 5Gi # later\n").unwrap();
        let bytes: Vec<(&str, u64)> = used.iter().map(|(claim, size)| (claim.as_str(), size.bytes())).collect();
        assert_eq!(bytes, [("apps/db", 1 << 20), ("apps/gitea-data", 38 << 30), ("apps/x", 5 << 30)]);
        let summary = r#"{"node":{},"pods":[{"podRef":{},"volume":[{"usedBytes":4096,"name":"data","pvcRef":{"name":"db","namespace":"apps"}},{"usedBytes":1,"name":"token"}]}]}"#;
        assert_eq!(read(summary).unwrap().get("apps/db").map(Size::bytes), Some(4096));
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        for text in ["apps/db\n", "db 5Gi\n", "apps/db many\n", "a/b/c 1\n"] {
            assert!(read(&format!("# first\n{text}")).unwrap_err().starts_with("line 2: "), "{text}");
        }
    }
}
