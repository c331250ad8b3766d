//! Pages of reports: whole, well-formed, asking for nothing from elsewhere.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use harness::compare::trial::{self, Round, Trial};
use harness::compare::{self, Named, Question, Standing};
use harness::output::{html, index};
use harness::report::{Report, load};

fn results() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../results")
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { collect(&path, found) } else { found.push(path) }
    }
}

/// Every committed report; read once, which takes seconds in a debug build.
fn committed() -> &'static [Report] {
    static REPORTS: LazyLock<Vec<Report>> = LazyLock::new(|| {
        let mut files = Vec::new();
        collect(&results(), &mut files);
        files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        assert!(!files.is_empty());
        files.iter().map(|path| load::read(path).unwrap()).collect()
    });
    &REPORTS
}

/// One that has everything: several phases and verbs, objectives, a warning.
fn smoke() -> Report {
    committed().iter().find(|report| report.workload.name == "smoke").unwrap().clone()
}

/// What is wrong with a page, if anything.
fn complaints(page: &str) -> Vec<String> {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let document = match roxmltree::Document::parse_with_options(page, options) {
        Ok(document) => document,
        Err(error) => return vec![format!("not well-formed: {error}")],
    };
    let mut found = Vec::new();
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        let name = node.tag_name().name();
        if ["link", "img", "iframe", "object", "embed", "image", "use", "base"].contains(&name) {
            found.push(format!("<{name}> loads something"));
        }
        for attribute in node.attributes() {
            let value = attribute.value();
            if ["src", "href", "action", "data"].contains(&attribute.name()) {
                found.push(format!("{name} has {}=\"{value}\"", attribute.name()));
            }
            let geometry = ["d", "x", "y", "cx", "cy", "width", "height", "viewBox"];
            let number = |part: &str| part.contains("NaN") || part.contains("inf");
            if geometry.contains(&attribute.name()) && number(value) {
                found.push(format!("{name} has {}=\"{value}\"", attribute.name()));
            }
        }
        if ["style", "script"].contains(&name) {
            let text = node.text().unwrap_or_default();
            for word in ["url(", "@import", "http:", "https:", "fetch", "import("] {
                found.extend(text.contains(word).then(|| format!("{name} has {word}")));
            }
        }
    }
    found
}

#[test]
fn complaints_are_made() {
    for (bad, complaint) in [
        ("<p><b></p>", "not well-formed"),
        ("<p>a & b</p>", "not well-formed"),
        ("<p><img src=\"http://elsewhere/\"/></p>", "<img> loads something"),
        ("<svg><path d=\"M1 NaN\"/></svg>", "path has d=\"M1 NaN\""),
        ("<style>@import 'x';</style>", "style has @import"),
    ] {
        let found = complaints(bad);
        assert!(found.iter().any(|one| one.contains(complaint)), "{bad}: {found:?}");
    }
    assert_eq!(complaints("<p>a</p>"), Vec::<String>::new());
}

#[test]
fn every_committed_report_becomes_a_page_of_its_own() {
    for report in committed() {
        let name = format!("{} {:?} {}", report.workload.name, report.workload.case, report.target);
        let page = html::page(std::slice::from_ref(report)).unwrap();
        assert_eq!(complaints(&page), Vec::<String>::new(), "{name}");
        for word in ["Phases", "Percentiles", "Over time", &report.ops_digest, "<svg"] {
            assert!(page.contains(word), "{name}: no {word}");
        }
        assert!(page.len() < 400_000, "{name}: {} bytes", page.len());
    }
}

#[test]
fn reports_of_one_workload_become_a_page_together() {
    let mut workloads: BTreeMap<String, Vec<Report>> = BTreeMap::new();
    for report in committed() {
        workloads.entry(report.workload.name.clone()).or_default().push(report.clone());
    }
    assert!(html::page(committed()).unwrap_err().contains("make a page for each"));
    for (name, reports) in workloads.into_iter().filter(|(_, reports)| reports.len() > 1) {
        let page = html::page(&reports).unwrap();
        assert_eq!(complaints(&page), Vec::<String>::new(), "{name}");
        assert!(page.contains("Side by side"), "{name}");
        let sweep = reports.iter().any(|report| report.workload.case.is_some());
        assert_eq!(page.contains(">Scaling<"), sweep, "{name}");
    }
    assert!(html::page(&[]).is_err());
}

#[test]
fn the_page_of_results_and_its_pictures_are_what_the_reports_make() {
    let made = index::pages(&results()).unwrap();
    let (readme, pictures) = made.split_first().unwrap();
    assert_eq!(readme.0, results().join("README.md"));
    assert!(!pictures.is_empty());
    for (path, text) in &made {
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(&committed, text, "{}: run `just index`", path.display());
    }
    for (path, svg) in pictures {
        assert_eq!(complaints(svg), Vec::<String>::new(), "{}", path.display());
        let link = path.strip_prefix(results()).unwrap().display().to_string();
        assert!(readme.1.contains(&format!("]({link})")), "{link}");
    }
}

/// The page that compares two sides.
fn versus(a: &[Named], b: &[Named]) -> String {
    let question = Question { delta: 0.03, metric: None };
    let comparisons = compare::compare(a, b, &question).unwrap();
    html::versus::page(&comparisons, a, b).unwrap()
}

fn named(label: &str, report: &Report) -> Named {
    Named { label: label.to_owned(), report: report.clone() }
}

#[test]
fn a_comparison_says_in_plain_words_what_it_concludes() {
    let is_asked = |report: &&Report| report.workload.name == "memory_u64";
    let all: Vec<Report> = committed().iter().filter(is_asked).cloned().collect();
    let other = all.iter().find(|report| report.target != all[0].target).unwrap();
    let page = versus(&[named("a", &all[0])], &[named("b", other)]);
    assert_eq!(complaints(&page), Vec::<String>::new());
    for word in ["cannot tell", "the target differs too", "Figure by figure", "Where and what"] {
        assert!(page.contains(word), "no {word}");
    }
    // Eight repeats half as fast, all alike: nobody can doubt that.
    let mut fast = smoke();
    fast.repeats = vec![fast.repeats[0].clone(); 8];
    let mut slow = fast.clone();
    for phase in slow.repeats.iter_mut().flat_map(|repeat| &mut repeat.phases) {
        phase.seconds *= 2.0;
    }
    let page = versus(&[named("a", &fast)], &[named("b", &slow)]);
    assert!(page.contains("✗ B is worse than A."), "{page}");
    assert_eq!(complaints(&page), Vec::<String>::new());
    let page = versus(&[named("a", &slow)], &[named("b", &fast)]);
    assert!(page.contains("✓ B is better than A."));
    // Different work: a page that says so, and no figures.
    let page = versus(&[named("a", &fast)], &[named("b", &all[0])]);
    assert!(page.contains("cannot be compared") && !page.contains("Figure by figure"));
    // Folders of reports, some of them on one side only.
    let side = |label: &str, reports: &[Report]| -> Vec<Named> {
        let number = |(number, report)| named(&format!("{label}{number}"), report);
        reports.iter().enumerate().map(number).collect()
    };
    let reports = committed();
    let is_on_both = |report: &&Report| report.workload.name != reports[0].workload.name;
    let others: Vec<Report> = reports.iter().filter(is_on_both).cloned().collect();
    let page = versus(&side("a", reports), &side("b", &others));
    assert_eq!(complaints(&page), Vec::<String>::new());
    assert!(page.contains("comparisons: is B as good as A?") && page.contains("Only A has"));
}

/// Eight rounds in which B takes `pace` times as long as A, and A once more `again` times.
fn trial(labels: [&str; 2], pace: f64, again: f64) -> Trial {
    let run = |pace: f64| {
        let mut report = smoke();
        report.repeats.truncate(1);
        report.repeats[0].phases.iter_mut().for_each(|phase| phase.seconds *= pace);
        report
    };
    let wobble = |round: i32| 0.998 + 0.002 * f64::from(round % 3);
    let runs: Vec<[Report; 3]> = (0..8)
        .map(|round| [run(1.0), run(pace * wobble(round)), run(again * wobble(round + 1))])
        .collect();
    let rounds: Vec<Round<'_>> =
        runs.iter().map(|[a, b, control]| Round { a, b, control }).collect();
    let question = Question { delta: 0.03, metric: None };
    trial::judge(&rounds, labels, &question).unwrap().unwrap()
}

#[test]
fn a_trial_says_in_plain_words_what_it_concludes_beside_its_control() {
    let slower = trial(["main (0123456789)", "the working tree"], 1.1, 1.0);
    let page = html::trials::page(std::slice::from_ref(&slower)).unwrap();
    assert_eq!(complaints(&page), Vec::<String>::new());
    for word in [
        "✗ B is worse than A.",
        "A: main (0123456789)",
        "B: the working tree",
        "8 rounds of A, B and A",
        "A/A interval",
        "Round by round",
        "mixed.throughput, the figure that decides",
        "operations digest",
    ] {
        assert!(page.contains(word), "no {word}");
    }
    // For each figure an interval of the change and one of the control, and a tick for each round
    // and for each of the control.
    let (rows, of) = (slower.rows.len(), |class: &str| page.matches(class).count());
    let ratios: usize =
        slower.rows.iter().map(|row| row.change_ratios.len() + row.control_ratios.len()).sum();
    assert_eq!(ratios, 2 * 8 * rows);
    assert_eq!((of("class=\"interval "), of("class=\"control\"")), (rows, rows));
    assert_eq!(of("class=\"strip\""), ratios);

    let page = |pace, again| html::trials::page(&[trial(["a", "b"], pace, again)]).unwrap();
    assert!(page(1.0, 1.0).contains("= B does as well as A"));
    let unsteady = page(1.1, 1.08);
    assert!(unsteady.contains("? These rounds cannot tell whether B differs from A."));
    assert!(unsteady.contains("A differs from a second run of A"));

    // Several at once, one of which did other work; and what was saved as JSON is as good.
    let mut other = trial(["a", "b"], 1.0, 1.0);
    other.standing = Standing::NotComparable { reasons: vec!["other keys".to_owned()] };
    (other.verdict, other.rows) = (None, Vec::new());
    let trials = [slower, other];
    let page = html::trials::page(&trials).unwrap();
    assert!(page.contains("2 trials") && page.contains("A and B cannot be compared."));
    assert_eq!(complaints(&page), Vec::<String>::new());
    let saved: Vec<Trial> = serde_json::from_str(&serde_json::to_string(&trials).unwrap()).unwrap();
    assert_eq!(html::trials::page(&saved).unwrap(), page);
    assert!(html::trials::page(&[]).is_err());
}

#[test]
fn what_a_report_says_never_becomes_markup() {
    let evil = "</title><script>alert('1')</script>\"><img src=x onerror=alert(2)>&\u{1}";
    let mut report = smoke();
    report.workload.name = evil.to_owned();
    report.workload.question = evil.to_owned();
    report.workload.text = evil.to_owned();
    report.workload.set = vec![evil.to_owned()];
    report.workload.effective.name = evil.to_owned();
    report.target = evil.to_owned();
    report.machine.cpu = evil.to_owned();
    report.machine.kernel = evil.to_owned();
    report.revision.commit = evil.to_owned();
    report.build.rustc = evil.to_owned();
    for phase in &mut report.merged {
        phase.name = evil.to_owned();
        let verbs = std::mem::take(&mut phase.verbs);
        phase.verbs =
            verbs.into_iter().map(|(name, verb)| (format!("{name}{evil}"), verb)).collect();
    }
    for phase in report.repeats.iter_mut().flat_map(|repeat| &mut repeat.phases) {
        phase.name = evil.to_owned();
    }
    for verdict in &mut report.verdicts {
        verdict.phase = evil.to_owned();
        verdict.objective.text = evil.to_owned();
    }
    let mut trial = trial([evil, evil], 1.0, 1.0);
    trial.a.surroundings.machine.cpu = evil.to_owned();
    trial.workload = evil.to_owned();
    let page = html::trials::page(&[trial]).unwrap();
    assert_eq!(complaints(&page), Vec::<String>::new());
    assert_eq!(page.matches("<script").count(), 1);
    let page = versus(&[named(evil, &report)], &[named(evil, &report)]);
    assert_eq!(complaints(&page), Vec::<String>::new());
    assert_eq!(page.matches("<script").count(), 1);
    let mut other = report.clone();
    report.workload.case = Some(format!("keys={evil}"));
    other.target = "another".to_owned();
    for reports in [vec![report.clone()], vec![report, other]] {
        let page = html::page(&reports).unwrap();
        assert_eq!(complaints(&page), Vec::<String>::new());
        assert!(!page.contains("<script>alert") && !page.contains("<img"));
        assert_eq!(page.matches("<script").count(), 1);
        assert!(page.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;"));
    }
}

#[test]
fn odd_reports_make_whole_pages_too() {
    let mut empty = smoke();
    empty.repeats.clear();
    empty.merged.clear();
    empty.verdicts.clear();
    let mut zero = smoke();
    for phase in zero.repeats.iter_mut().flat_map(|repeat| &mut repeat.phases) {
        phase.seconds = 0.0;
        phase.series.ops.iter_mut().for_each(|ops| *ops = 0);
    }
    let mut endless = smoke();
    for phase in endless.repeats.iter_mut().flat_map(|repeat| &mut repeat.phases) {
        phase.seconds = f64::MAX;
        phase.series.interval_ms = u64::MAX;
    }
    for report in [empty, zero, endless] {
        let page = html::page(&[report]).unwrap();
        assert_eq!(complaints(&page), Vec::<String>::new());
    }
}
