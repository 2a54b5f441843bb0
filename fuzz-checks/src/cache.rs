//! Header fields that the cache reads, and what it reads from its stores.

use std::time::{Duration, UNIX_EPOCH};

use fetch_proto::Method;
use fetch_proto::cache::{
    CacheMode, CacheRequest, CacheResponse, CacheRules, CacheScope, CacheUse, NotStored,
    StoredHead, WallTime, answers_condition, confirms, judge_store, judge_use, may_replace_error,
};

/// Field lines of a message.
type Lines<'a> = Vec<(&'a str, &'a [u8])>;

const NOW: Duration = Duration::from_secs(1_800_000_000);
const YEAR: Duration = Duration::from_secs(366 * 86_400);
/// The largest age and lifetime (RFC 9111, section 1.2.2).
const OLDEST: Duration = Duration::from_secs(1 << 31);

fn at(later: Duration) -> WallTime {
    WallTime::from_unix(NOW + later)
}

fn get<'a>(fields: &'a Lines<'a>) -> CacheRequest<'a> {
    CacheRequest {
        fields,
        method: &Method::Get,
        mode: CacheMode::Default,
    }
}

fn store(
    request: &Lines<'_>,
    response: &Lines<'_>,
    rules: &CacheRules,
) -> Result<StoredHead, NotStored> {
    let response = CacheResponse {
        fields: response,
        requested: at(Duration::ZERO),
        received: at(Duration::ZERO),
        status: 200,
    };
    judge_store(get(request), response, rules)
}

/// Whether a stored response is used without a question, this long after it was received.
fn is_served(request: &Lines<'_>, head: &StoredHead, later: Duration, rules: &CacheRules) -> bool {
    let judged = judge_use(get(request), &[head], at(later), rules);
    matches!(judged, CacheUse::Serve { .. })
}

fn rules() -> [CacheRules; 2] {
    [CacheScope::Private, CacheScope::Shared].map(|scope| CacheRules::default().scope(scope))
}

/// Each line is a field `Cache-Control`, of a response and of a request.
///
/// - With a line `no-store` nothing is stored, with `no-cache` nothing is used without a question, with
///   `must-revalidate` nothing that is stale is used, whatever the other lines are. A request may ask for the
///   same.
/// - The order of the lines changes nothing.
/// - A shared cache stores no more than a private one, unless `s-maxage` is for it alone.
/// - No lifetime is longer than what a field can say.
pub fn check_cache_control(input: &[u8]) {
    const CONTROL: &str = "cache-control";
    let lines: Lines<'_> = input
        .split(|byte| *byte == b'\n')
        .map(|value| (CONTROL, value))
        .collect();
    let (nothing, tag) = (Lines::new(), ("etag", &b"\"1\""[..]));
    let with = |line: (&'static str, &'static [u8])| [&lines[..], &[line, tag]].concat();
    let lower = input.to_ascii_lowercase();
    let has = |word: &[u8]| lower.windows(word.len()).any(|part| part == word);
    for rules in rules() {
        if !has(b"must-understand") {
            assert!(store(&nothing, &with((CONTROL, b"no-store")), &rules).is_err());
        }
        if let Ok(head) = store(&nothing, &with((CONTROL, b"no-cache")), &rules) {
            assert!(!is_served(&nothing, &head, Duration::ZERO, &rules));
            assert!(!may_replace_error(
                get(&nothing),
                &head,
                None,
                at(YEAR),
                &rules
            ));
        }
        if let Ok(head) = store(&nothing, &with((CONTROL, b"must-revalidate")), &rules) {
            assert!(!is_served(&nothing, &head, head.lifetime(), &rules));
            let judged = may_replace_error(get(&nothing), &head, None, at(head.lifetime()), &rules);
            assert!(!judged, "{head:?}");
        }
        let (stored, mut reversed) = (store(&nothing, &with(tag), &rules), with(tag));
        reversed.reverse();
        let again = store(&nothing, &reversed, &rules);
        assert_eq!(
            stored.as_ref().map(StoredHead::lifetime),
            again.as_ref().map(StoredHead::lifetime)
        );
        if let (Ok(stored), Ok(again)) = (&stored, &again) {
            assert!(stored.lifetime() <= OLDEST);
            for later in [Duration::ZERO, stored.lifetime(), YEAR] {
                let is_same = is_served(&nothing, stored, later, &rules)
                    == is_served(&nothing, again, later, &rules);
                assert!(is_same, "{stored:?}, {again:?}");
            }
        }
    }
    let [private, shared] = rules();
    if !has(b"s-maxage") && store(&nothing, &with(tag), &shared).is_ok() {
        assert!(store(&nothing, &with(tag), &private).is_ok());
    }
    // A request.
    let response: Lines<'_> = vec![(CONTROL, b"max-age=60"), tag];
    let refuses = |line| store(&with((CONTROL, line)), &response, &private).is_err();
    assert!(refuses(b"no-store"));
    if let Ok(head) = store(&nothing, &response, &private) {
        let asked = with((CONTROL, b"no-cache"));
        assert!(!is_served(&asked, &head, Duration::ZERO, &private));
    }
}

/// A date of a header field: the time of httpdate, where both read one. It is the same after it is written
/// and read again. The first bytes are also a time, which is written and read.
pub fn check_http_date(input: &[u8]) {
    let now = at(Duration::ZERO);
    let mut number = [0; 8];
    let length = input.len().min(8);
    number[..length].copy_from_slice(&input[..length]);
    // Until the end of the year 9999, after which there are no dates.
    let seconds = Duration::from_secs(u64::from_le_bytes(number) % 253_402_300_800);
    let written = httpdate::fmt_http_date(UNIX_EPOCH + seconds);
    let read = WallTime::parse(&written, now).map(WallTime::since_1970);
    assert_eq!(read, Some(seconds), "{written}");
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let Some(date) = WallTime::parse(text, now) else {
        return;
    };
    let time = UNIX_EPOCH + date.since_1970();
    let again = WallTime::parse(&httpdate::fmt_http_date(time), now);
    assert_eq!(again, Some(date), "{text}");
    // Years of two digits are of another century for httpdate from 70 on.
    let has_century = !text.contains('-');
    if let Ok(theirs) = httpdate::parse_http_date(text.trim())
        && has_century
    {
        assert_eq!(theirs, time, "{text}");
    }
}

/// The first line is the field `Vary` of a response; each other one is a field of a request, up to an empty
/// line, behind which are those of a second request.
///
/// - What is stored answers the same request again.
/// - If it answers the second request, the response to the second one would answer the first.
/// - A field that `Vary` does not name changes nothing.
/// - After `*`, nothing is stored.
pub fn check_vary(input: &[u8]) {
    let mut lines = input.split(|byte| *byte == b'\n');
    let vary = lines.next().unwrap_or_default();
    let mut requests = [Lines::new(), Lines::new()];
    let mut which = 0;
    for line in lines {
        if line.is_empty() {
            which = 1;
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        if let Ok(name) = std::str::from_utf8(name)
            && !name.eq_ignore_ascii_case("cache-control")
        {
            requests[which].push((name, value.get(1..).unwrap_or_default()));
        }
    }
    let [first, second] = requests;
    let rules = CacheRules::default();
    let response = |vary| -> Lines<'_> { vec![("cache-control", b"max-age=60"), ("vary", vary)] };
    let of = |request| store(request, &response(vary), &rules);
    let starred = [vary, b", *"].concat();
    let has_open_quote = vary.contains(&b'"');
    assert!(has_open_quote || store(&first, &response(&starred), &rules).is_err());
    let (Ok(of_first), Ok(of_second)) = (of(&first), of(&second)) else {
        // Whether a response is stored does not depend on the fields of the request.
        assert_eq!(of(&first).err(), of(&second).err());
        return;
    };
    assert!(of_first.answers(&first) && is_served(&first, &of_first, Duration::ZERO, &rules));
    assert_eq!(of_first.answers(&second), of_second.answers(&first));
    assert_eq!(
        of_first.answers(&second),
        of_first.is_same_variant(&of_second)
    );
    let is_named = of_first.vary().any(|(name, _)| name == "x-unnamed");
    let more = [&first[..], &[("x-unnamed", &b"1"[..])]].concat();
    assert!(is_named || of_first.answers(&more));
    for (name, value) in of_first.vary() {
        let is_sent = first
            .iter()
            .any(|(sent, _)| sent.eq_ignore_ascii_case(name));
        assert_eq!(value.is_some(), is_sent, "{name}");
    }
}

/// The head of a stored response, as a store returns it. A store that several machines write to may return
/// anything: decisions about it are made, and within bounds.
pub fn check_stored_head(input: &[u8]) {
    let Some((later, bytes)) = input.split_first() else {
        return;
    };
    let Ok(head) = postcard::from_bytes::<StoredHead>(bytes) else {
        return;
    };
    let written = postcard::to_allocvec(&head).expect("a head is written");
    assert_eq!(postcard::from_bytes(&written).as_ref(), Ok(&head));
    let nothing = Lines::new();
    for rules in rules() {
        for now in [
            WallTime::default(),
            at(Duration::from_secs(u64::from(*later) << 20)),
            WallTime::from_unix(Duration::MAX),
        ] {
            assert!(head.age(now) <= OLDEST);
            let is_fresh = head.is_fresh(now);
            assert!(!is_fresh || head.age(now) < head.lifetime());
            let kept = head.keep_for(&rules, Duration::MAX, now);
            assert!(!is_fresh || kept > Duration::ZERO);
            let judged = judge_use(get(&nothing), &[&head], now, &rules);
            match judged {
                CacheUse::Serve {
                    age, revalidate, ..
                } => {
                    assert!(age <= OLDEST && (is_fresh || revalidate), "{head:?}");
                }
                CacheUse::Validate {
                    if_none_match,
                    if_modified_since,
                    ..
                } => {
                    assert!(if_none_match.is_some() || if_modified_since.is_some());
                }
                CacheUse::Forward(_) => {}
                CacheUse::Unavailable(_) => panic!("nothing asks for a stored response only"),
            }
            let _ = may_replace_error(get(&nothing), &head, Some(500), now, &rules);
        }
    }
    let fields: Lines<'_> = vec![("etag", b"\"1\""), ("if-none-match", b"*")];
    let _ = (confirms(&head, &fields), answers_condition(&fields, &head));
}
