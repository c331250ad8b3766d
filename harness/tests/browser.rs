//! Pages as a browser shows them: nothing is fetched, nothing complains, nothing is cut off.
//!
//! Runs where Chromium is: the program that `CHROME` names, else a well-known name in `PATH`.
//! `SCREENSHOTS=DIR` keeps what was seen.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![cfg(unix)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use base64::Engine as _;
use harness::compare::trial::{self, Round, Trial};
use harness::compare::{self, Named, Question};
use harness::output::html::{self, trials, versus};
use harness::report::{Report, load};
use serde_json::{Value, json};

const NAMES: [&str; 7] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "chrome-headless-shell",
    "headless_shell",
];
const PATIENCE: Duration = Duration::from_secs(60);

/// The texts of each chart that are cut off or cover each other, and how wide the page is.
const MEASURE: &str = r#"(() => {
  document.querySelectorAll("details").forEach(one => { one.open = true; });
  const found = [];
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) found.push(`the page is ${wide} wide in a window of ${innerWidth}`);
  for (const svg of document.querySelectorAll("svg")) {
    const frame = svg.getBoundingClientRect();
    const texts = Array.from(svg.querySelectorAll("text"), text =>
      ({ text: text.textContent, box: text.getBoundingClientRect() }));
    for (const { text, box } of texts)
      if (box.left < frame.left - 1 || box.right > frame.right + 1 ||
          box.top < frame.top - 1 || box.bottom > frame.bottom + 1)
        found.push(`cut off: ${text}`);
    texts.forEach((one, number) => texts.slice(number + 1).forEach(other => {
      const wide = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
      const high = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
      if (wide > 1 && high > 4) found.push(`${one.text} covers ${other.text}`);
    }));
  }
  return found;
})()"#;

/// Points at the middle of the first chart and gives what is then told.
const POINT: &str = r#"(() => {
  const figure = document.querySelector("figure"), svg = figure.querySelector("svg");
  const box = svg.getBoundingClientRect();
  const at = { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 };
  svg.dispatchEvent(new PointerEvent("pointermove", at));
  return figure.querySelector("output").textContent;
})()"#;

fn browser() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CHROME") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let all = NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    all.into_iter().find(|candidate| candidate.is_file())
}

/// A browser without a window, told what to do over a pipe.
struct Browser {
    process: Child,
    commands: ChildStdin,
    answers: Receiver<Value>,
    events: Vec<Value>,
    session: Option<String>,
    last: u64,
    folder: tempfile::TempDir,
}

impl Browser {
    fn start(program: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // It reads from descriptor 3 and writes to 4.
        let mut process = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 >/dev/null"])
            .arg(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--hide-scrollbars", "--remote-debugging-pipe"])
            .args(["--disable-background-networking", "--disable-component-update"])
            .args(["--disable-sync", "--disable-quic"])
            .arg(format!("--user-data-dir={}", folder.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let commands = process.stdin.take().unwrap();
        let mut output = process.stdout.take().unwrap();
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            let (mut held, mut chunk) = (Vec::new(), [0; 8_192]);
            while let Ok(length @ 1..) = output.read(&mut chunk) {
                held.extend_from_slice(&chunk[..length]);
                while let Some(end) = held.iter().position(|byte| *byte == 0) {
                    let message: Vec<u8> = held.drain(..=end).collect();
                    let _ = sender.send(serde_json::from_slice(&message[..end]).unwrap());
                }
            }
        });
        let (events, session, last) = (Vec::new(), None, 0);
        let mut browser = Self { process, commands, answers, events, session, last, folder };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", &attach)["sessionId"].clone();
        browser.session = session.as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    fn next(&self) -> Value {
        self.answers.recv_timeout(PATIENCE).expect("the browser answers")
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.commands.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let answer = self.next();
            if answer["id"] == json!(self.last) {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    /// What is wrong with a page in a window of this width, if anything.
    fn complaints(&mut self, name: &str, page: &str, width: u32, scheme: &str) -> Vec<String> {
        let file = self.folder.path().join("page.html");
        fs::write(&file, page).unwrap();
        let window = json!({
            "width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600
        });
        self.call("Emulation.setDeviceMetricsOverride", &window);
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.call("Emulation.setEmulatedMedia", &json!({ "features": [feature] }));
        self.events.clear();
        let address = format!("file://{}", file.display());
        self.call("Page.navigate", &json!({ "url": address }));
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.next();
            self.events.push(event);
        }
        self.keep(&format!("{name}-{width}-{scheme}"));
        let measure = json!({ "expression": MEASURE, "returnByValue": true });
        let measured = self.call("Runtime.evaluate", &measure)["result"]["value"].clone();
        let measured = measured.as_array().expect("a list").iter().map(ToString::to_string);
        let mut found: Vec<String> = measured.collect();
        for event in &self.events {
            let parameters = &event["params"];
            match event["method"].as_str().unwrap_or_default() {
                "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded" => {
                    found.push(format!("complains: {parameters}"));
                }
                "Network.requestWillBeSent" if parameters["request"]["url"] != *address => {
                    found.push(format!("asks for {}", parameters["request"]["url"]));
                }
                _ => {}
            }
        }
        found
    }

    /// What the page tells when its first chart is pointed at.
    fn pointed_at(&mut self) -> String {
        let point = json!({ "expression": POINT });
        let told = self.call("Runtime.evaluate", &point)["result"]["value"].clone();
        told.as_str().unwrap_or_default().to_owned()
    }

    fn keep(&mut self, name: &str) {
        let Some(folder) = std::env::var_os("SCREENSHOTS") else { return };
        let picture = json!({ "format": "png", "captureBeyondViewport": true });
        let data = self.call("Page.captureScreenshot", &picture)["data"].clone();
        let bytes = base64::engine::general_purpose::STANDARD.decode(data.as_str().unwrap());
        fs::create_dir_all(&folder).unwrap();
        fs::write(Path::new(&folder).join(format!("{name}.png")), bytes.unwrap()).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { collect(&path, found) } else { found.push(path) }
    }
}

fn committed(workload: &str) -> Vec<Report> {
    let mut files = Vec::new();
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results").join(workload);
    collect(&results, &mut files);
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files.iter().map(|path| load::read(path).unwrap()).collect()
}

fn pages() -> Vec<(String, String)> {
    let mut pages = Vec::new();
    for workload in ["10m_mixed", "abusive", "expiry_storm", "key_count_sweep", "smoke"] {
        pages.push((workload.to_owned(), html::page(&committed(workload)).unwrap()));
    }
    // Of one report, whatever else was committed since.
    let mut alone = committed("10m_mixed");
    alone.retain(|report| report.target == "store");
    alone.truncate(1);
    pages.push(("alone".to_owned(), html::page(&alone).unwrap()));
    let one = committed("memory_u64").remove(0);
    let peers = ["store", "scc", "moka", "quick_cache", "dashmap", "papaya", "mini-moka"];
    let of_peer = |target: &&str| Report { target: (*target).to_owned(), ..one.clone() };
    let peers: Vec<Report> = peers.iter().map(of_peer).collect();
    pages.push(("peers".to_owned(), html::page(&peers).unwrap()));
    let named = |report: &Report| Named { label: report.target.clone(), report: report.clone() };
    let both: Vec<Named> = committed("memory_u64").iter().map(named).collect();
    let question = Question { delta: 0.03, metric: None };
    let (a, b) = (&both[..1], &both[both.len() - 1..]);
    let comparisons = compare::compare(a, b, &question).unwrap();
    pages.push(("comparison".to_owned(), versus::page(&comparisons, a, b).unwrap()));
    pages.push(("trials".to_owned(), trials::page(&[trial()]).unwrap()));
    pages.push(("threads".to_owned(), html::page(&threads()).unwrap()));
    pages
}

/// Nine rounds, in which B is a twentieth slower.
fn trial() -> Trial {
    let smoke = committed("smoke").remove(0);
    let run = |pace: f64| {
        let mut report = smoke.clone();
        report.repeats.truncate(1);
        report.repeats[0].phases.iter_mut().for_each(|phase| phase.seconds *= pace);
        report
    };
    let noise = |round: i32| 1.0 + 0.004 * f64::from(round * round % 7 - 2);
    let runs: Vec<[Report; 3]> = (0..9)
        .map(|round| [run(1.0), run(1.05 * noise(round)), run(noise(3 * round + 1))])
        .collect();
    let rounds: Vec<Round<'_>> =
        runs.iter().map(|[a, b, control]| Round { a, b, control }).collect();
    let question = Question { delta: 0.03, metric: None };
    trial::judge(&rounds, ["main (0123456789)", "the working tree"], &question).unwrap().unwrap()
}

/// A sweep over threads on two targets, one of which stops growing.
fn threads() -> Vec<Report> {
    let one = committed("smoke").remove(0);
    let case = |(target, threads): (&str, u32)| {
        let mut report = Report { target: target.to_owned(), ..one.clone() };
        report.workload.case = Some(format!("threads={threads}"));
        let times = if target == "store" { threads } else { threads.min(3) };
        for phase in &mut report.merged {
            let throughput = &mut phase.throughput;
            for rate in [&mut throughput.median, &mut throughput.min, &mut throughput.max] {
                *rate *= f64::from(times);
            }
        }
        report
    };
    let targets = ["store", "scc"].into_iter();
    let all = targets.flat_map(|target| [1, 2, 4, 8, 16].map(|threads| (target, threads)));
    all.map(case).collect()
}

#[test]
fn a_browser_shows_every_page_whole() {
    let Some(program) = browser() else {
        eprintln!("skipped: there is no Chromium in PATH; name one with CHROME=/path/to/it");
        return;
    };
    let mut browser = Browser::start(&program);
    // What is wrong on purpose is seen.
    let bad = "<!DOCTYPE html><meta name='viewport' content='width=device-width, \
        initial-scale=1, minimum-scale=1'><p style='width: 500px'>wide</p><img src='gone.png'>\
        <svg width='90' height='50'><text y='20'>cut off, as it is too long</text>\
        <text y='22'>over it</text></svg><script>console.error('boom')</script>";
    let found = browser.complaints("bad", bad, 390, "light").join("\n");
    for complaint in ["the page is 5", "asks for", "boom", "cut off: cut off", "covers over it"] {
        assert!(found.contains(complaint), "{complaint} is not among {found}");
    }
    for (name, page) in pages() {
        for (width, scheme) in [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")] {
            let found = browser.complaints(&name, &page, width, scheme);
            assert_eq!(found, Vec::<String>::new(), "{name} at {width}, {scheme}");
        }
        if name == "alone" {
            let told = browser.pointed_at();
            assert!(told.starts_with("put p99"), "{told}");
        }
    }
}
