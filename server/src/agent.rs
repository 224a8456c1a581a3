//! What a user agent says of a worker's program and system, for people to read. It decides nothing:
//! anybody can say anything.

use tequio_protocol::api::WorkerKind;

/// What a worker says that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Its kind.
    pub kind: WorkerKind,
    /// Its program and the version (`Firefox 153`), or nothing.
    pub program: String,
    /// Its system (`Windows`), or nothing.
    pub system: &'static str,
}

/// Browsers by the word before their version. Most name others whose pages they can show as well,
/// so the order decides: who is named by nobody else comes first.
const BROWSERS: &[(&str, &str, WorkerKind)] = &[
    ("Edg/", "Edge", WorkerKind::Edge),
    ("EdgA/", "Edge", WorkerKind::Edge),
    ("EdgiOS/", "Edge", WorkerKind::Edge),
    ("OPR/", "Opera", WorkerKind::Chrome),
    ("SamsungBrowser/", "Samsung Internet", WorkerKind::Chrome),
    ("FxiOS/", "Firefox", WorkerKind::Firefox),
    ("Firefox/", "Firefox", WorkerKind::Firefox),
    ("CriOS/", "Chrome", WorkerKind::Chrome),
    ("HeadlessChrome/", "Chrome", WorkerKind::Chrome),
    ("Chrome/", "Chrome", WorkerKind::Chrome),
    // Safari's own version stands behind this word.
    ("Version/", "Safari", WorkerKind::Safari),
];

/// Systems by a word that they are known by; again the order decides.
const SYSTEMS: &[(&str, &str)] = &[
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iOS"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("windows", "Windows"),
    ("Macintosh", "macOS"),
    ("macos", "macOS"),
    ("Linux", "Linux"),
    ("linux", "Linux"),
];

impl Agent {
    /// Reads what it can.
    pub fn parse(agent: Option<&str>) -> Agent {
        let agent = agent.unwrap_or_default();
        let system = SYSTEMS.iter().find(|(word, _)| agent.contains(word));
        let system = system.map_or("", |(_, name)| *name);
        let (kind, program) = program(agent);
        Agent { kind, program, system }
    }
}

/// The engine that computed, with its major version: `Chrome 131` of every browser that has Chrome's, `Safari 18` of
/// every one on iOS. There are few: of what is unknown or odd it is `other`.
pub fn engine_of(agent: &str) -> String {
    if agent.starts_with("tequio/") {
        return "tequio".to_owned();
    }
    let of = |word: &str, name: &str| {
        let (_, behind) = agent.split_once(word)?;
        let digits = behind.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        (1..=3).contains(&digits.len()).then(|| format!("{name} {digits}"))
    };
    let is_ios = ["iPhone OS ", "CPU OS "].iter().any(|word| agent.contains(word));
    let known = match is_ios {
        // Whatever it calls itself.
        true => of("iPhone OS ", "Safari").or_else(|| of("CPU OS ", "Safari")),
        false => ["Chrome/", "Firefox/", "Version/"]
            .iter()
            .zip(["Chrome", "Firefox", "Safari"])
            .find_map(|(word, name)| of(word, name)),
    };
    known.unwrap_or_else(|| OTHER_ENGINE.to_owned())
}

/// What an engine is called that is not known, or that is one too many.
pub const OTHER_ENGINE: &str = "other";

fn program(agent: &str) -> (WorkerKind, String) {
    if let Some(version) = version_behind(agent, "tequio/") {
        return (WorkerKind::Native, format!("tequio {version}"));
    }
    let known = BROWSERS.iter().find_map(|(word, name, kind)| {
        let version = version_behind(agent, word)?;
        let major = version.split('.').next().unwrap_or_default();
        Some((*kind, format!("{name} {major}")))
    });
    // Most others are a name and a version, and a comment.
    let other = || agent.split(' ').next().unwrap_or_default().replacen('/', " ", 1);
    known.unwrap_or_else(|| (WorkerKind::Other, other()))
}

fn version_behind<'a>(agent: &'a str, word: &str) -> Option<&'a str> {
    let (_, behind) = agent.split_once(word)?;
    behind.split([' ', ';', ')']).next().filter(|version| !version.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_is_what_computes_whatever_the_browser_is_called() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        for (agent, engine) in [
            (
                format!(
                    "Mozilla/5.0 (X11; Linux x86_64) {webkit} HeadlessChrome/150.0.1.2 Safari/537.36"
                ),
                "Chrome 150",
            ),
            (
                format!(
                    "Mozilla/5.0 (Windows NT 10.0) {webkit} Chrome/141.0.0.0 Safari/537.36 Edg/140.0.3.1"
                ),
                "Chrome 141",
            ),
            (
                format!(
                    "Mozilla/5.0 (Linux; Android 10; K) {webkit} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile"
                ),
                "Chrome 130",
            ),
            ("Mozilla/5.0 (X11; rv:153.0) Gecko/20100101 Firefox/153.0".to_owned(), "Firefox 153"),
            (
                "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 Version/18.6 Safari/605.1.15"
                    .to_owned(),
                "Safari 18",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) Version/18.6 Mobile/15E148"
                    .to_owned(),
                "Safari 18",
            ),
            (
                "Mozilla/5.0 (iPad; CPU OS 17_2 like Mac OS X) AppleWebKit/605.1.15 CriOS/141.0.7"
                    .to_owned(),
                "Safari 17",
            ),
            ("tequio/0.4.0 (linux; x86_64)".to_owned(), "tequio"),
            ("Chrome/99999999".to_owned(), "other"),
            ("Chrome/<b>".to_owned(), "other"),
            (String::new(), "other"),
        ] {
            assert_eq!(engine_of(&agent), engine, "{agent}");
        }
    }

    #[test]
    fn agents_of_these_days_are_known() {
        use WorkerKind::{Chrome, Edge, Firefox, Native, Other, Safari};
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        for (agent, kind, program, system) in [
            (
                format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) {webkit} Chrome/141.0.0.0 Safari/537.36"),
                Chrome, "Chrome 141", "Windows",
            ),
            (
                format!("Mozilla/5.0 (X11; Linux x86_64) {webkit} HeadlessChrome/150.0.1.2 Safari/537.36"),
                Chrome, "Chrome 150", "Linux",
            ),
            (
                format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) {webkit} Chrome/141.0.0.0 Safari/537.36 Edg/141.0.3.1"),
                Edge, "Edge 141", "Windows",
            ),
            (
                format!("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {webkit} Chrome/141.0.0.0 Safari/537.36"),
                Chrome, "Chrome 141", "ChromeOS",
            ),
            (
                format!("Mozilla/5.0 (Linux; Android 10; K) {webkit} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36"),
                Chrome, "Samsung Internet 28", "Android",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:153.0) Gecko/20100101 Firefox/153.0".to_owned(),
                Firefox, "Firefox 153", "macOS",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1".to_owned(),
                Safari, "Safari 18", "iOS",
            ),
            (
                "Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/141.0.7 Mobile/15E148 Safari/604.1".to_owned(),
                Chrome, "Chrome 141", "iOS",
            ),
            ("tequio/0.4.0 (linux; x86_64)".to_owned(), Native, "tequio 0.4.0", "Linux"),
            ("Python/3.12 websockets/15.0".to_owned(), Other, "Python 3.12", ""),
            ("curl".to_owned(), Other, "curl", ""),
            (String::new(), Other, "", ""),
            ("Chrome/".to_owned(), Other, "Chrome ", ""),
        ] {
            let expected = Agent { kind, program: program.to_owned(), system };
            assert_eq!(Agent::parse(Some(&agent)), expected, "{agent}");
        }
        assert_eq!(Agent::parse(None), Agent::parse(Some("")));
    }
}
