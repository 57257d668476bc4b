//! The parts of a URL.

use super::HttpUrl;

impl HttpUrl {
    /// Returns the name or address of whom it asks, without port, account and brackets (RFC 3986, 3.2.2).
    pub fn host(&self) -> &str {
        let rest = self.as_str().split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
        let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
        match place.strip_prefix('[').and_then(|place| place.split_once(']')) {
            Some((address, _)) => address,
            None => place.split(':').next().unwrap_or(""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::HttpUrl;

    #[test]
    fn the_host_of_a_url_is_what_stands_between_account_and_port() {
        for (url, host) in [
            ("https://tulpa.dev/api/healthz", "tulpa.dev"),
            ("http://user:pass@tulpa.dev:8080?x=a@b/c", "tulpa.dev"),
            ("http://[2001:db8::1]:8080/", "2001:db8::1"),
            ("http://192.0.2.1#x", "192.0.2.1"),
        ] {
            assert_eq!(url.parse::<HttpUrl>().unwrap().host(), host);
        }
    }
}
