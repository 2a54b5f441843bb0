//! Lists whose rows set more than a URL, and compressed lists.

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::support::*;

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Creates a list with this file name.
fn named(name: &str, content: impl AsRef<[u8]>) -> (List, String) {
    let list = List::new("");
    fs::write(list.file(name), content).unwrap();
    let path = list.path(name);
    (list, path)
}

#[test]
fn jsonl_rows_set_method_headers_and_body() {
    let site = site();
    let rows = [
        json!({"url": site.url("/anything/1"), "method": "PUT", "body": "text", "headers": {"X-A": "b"}, "id": "row-1"}),
        json!({"url": site.url("/anything/2"), "body": {"n": 2}}),
        json!({"url": site.url("/anything/3"), "body_base64": "AAEC", "method": "PATCH"}),
        json!(site.url("/anything/4")),
    ];
    let rows: Vec<_> = rows.iter().map(Value::to_string).collect();
    let (_list, path) = named("rows.jsonl", rows.join("\n"));
    let ran = fetch_all(&["-i", &path]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let seen = |n: u32| site.last_request(&format!("/anything/{n}")).unwrap();
    let one = seen(1);
    assert_eq!((one.method.as_str(), &one.body[..]), ("PUT", &b"text"[..]));
    assert_eq!(one.header("x-a"), Some("b"));
    assert_eq!(
        (seen(2).method.as_str(), &seen(2).body[..]),
        ("POST", &br#"{"n":2}"#[..])
    );
    assert_eq!(seen(2).header("content-type"), Some("application/json"));
    assert_eq!(
        (seen(3).method.as_str(), &seen(3).body[..]),
        ("PATCH", &[0, 1, 2][..])
    );
    assert_eq!(seen(4).method.as_str(), "GET");
    let records = ran.records();
    let first = records.iter().find(|record| record["seq"] == 1).unwrap();
    assert_eq!(
        (&first["id"], &first["method"]),
        (&json!("row-1"), &json!("PUT"))
    );
}

#[test]
fn csv_and_tsv_are_detected_by_name_compressed_or_not() {
    let site = site();
    let csv = format!(
        "name,URL,method\n\"a, b\",{},HEAD\nc,{},\n",
        site.url("/get?1"),
        site.url("/get?2")
    );
    let tsv = csv.replace("\"a, b\"", "ab").replace(',', "\t");
    let zstd = zstd::encode_all(tsv.as_bytes(), 1).unwrap();
    for (name, bytes) in [
        ("list.csv", csv.clone().into_bytes()),
        ("list.csv.gz", gzip(&csv)),
        ("list.tsv.zst", zstd),
    ] {
        let (_list, path) = named(name, bytes);
        let ran = fetch_all(&["-i", &path]);
        let methods: Vec<_> = ran.records().iter().map(|r| r["method"].clone()).collect();
        assert_eq!((ran.code, methods.len()), (0, 2), "{name}: {ran:?}");
        assert!(methods.contains(&json!("HEAD")) && methods.contains(&json!("GET")));
    }
    let packed = fetch_all_stdin(&["-i", "-", "--input-format", "csv"], &gzip(&csv));
    assert_eq!(packed.records().len(), 2, "{packed:?}");
    let (_list, path) = named("list.csv", format!("link,x\n{},1\n", site.url("/get")));
    assert_eq!(fetch_all(&["-i", &path, "--url-column", "link"]).code, 0);
    let wrong = fetch_all(&["-i", &path, "--url-column", "href"]);
    assert_eq!(wrong.code, 3, "{wrong:?}");
    assert!(
        wrong.stderr.contains("no column \"href\", but link, x"),
        "{wrong:?}"
    );
}

#[test]
fn a_body_is_saved_under_out_if_its_checksum_matches() {
    let site = site();
    let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let rows = [
        json!({"url": site.url("/bytes/0"), "out": "right/empty.bin", "checksum": empty}),
        json!({"url": site.url("/bytes/1"), "out": "wrong.bin", "checksum": empty}),
        json!({"url": site.url("/bytes/2"), "out": "../../escape.bin"}),
    ];
    let rows: Vec<_> = rows.iter().map(Value::to_string).collect();
    let (list, path) = named("rows.jsonl", rows.join("\n"));
    let kept = list.path("kept");
    let ran = fetch_all(&["-i", &path, "--output-dir", &kept]);
    assert_eq!(ran.code, 7, "{ran:?}");
    let records = ran.records();
    let of = |seq: u64| records.iter().find(|record| record["seq"] == seq).unwrap();
    assert_eq!(of(1)["filename_effective"], "right/empty.bin");
    assert!(list.file("kept/right/empty.bin").exists());
    assert_eq!(
        (&of(2)["outcome"], of(2)["filename_effective"].is_null()),
        (&json!("checksum"), true)
    );
    assert!(
        of(2)["errormsg"].as_str().unwrap().contains("not saved"),
        "{}",
        of(2)
    );
    assert!(!list.file("kept/wrong.bin").exists() && !list.file("escape.bin").exists());
    for part in ["2 ok, 1 failed", "checksum_mismatch"] {
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
}

#[test]
fn a_checksum_is_verified_without_keeping_the_body() {
    let site = site();
    let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let rows = ["/bytes/0", "/bytes/1", "/status/404"]
        .map(|path| json!({"url": site.url(path), "checksum": empty}).to_string());
    let plain = json!({"url": site.url("/bytes/9")}).to_string();
    let (_list, path) = named("rows.jsonl", format!("{}\n{plain}", rows.join("\n")));
    let records = fetch_all(&["-i", &path]).records();
    let of = |seq: u64| records.iter().find(|record| record["seq"] == seq).unwrap();
    let outcomes = [1, 2, 3, 4].map(|seq| of(seq)["outcome"].clone());
    assert_eq!(
        outcomes,
        ["ok", "checksum", "http_error", "ok"].map(|o| json!(o))
    );
    assert!(
        of(4)["sha256"].is_null(),
        "only what is verified is digested"
    );
}

#[test]
fn priority_and_timeout_of_a_row_apply() {
    let site = site();
    let row = |n: u32, priority: i32| {
        json!({"url": site.url(&format!("/anything/{n}")), "priority": priority}).to_string()
    };
    let rows: Vec<_> = (0..40).map(|n| row(n, (n % 4) as i32)).collect();
    let (_list, path) = named("rows.jsonl", rows.join("\n"));
    let ran = fetch_all(&["-i", &path, "-j", "1"]);
    let order: Vec<_> = ran
        .records()
        .iter()
        .map(|r| r["seq"].as_u64().unwrap() - 1)
        .collect();
    let urgent = order.iter().position(|n| n % 4 == 0).unwrap();
    // Requests of priority 0 start when no other waits. The first may start before the rest is
    // read.
    assert!(urgent >= 30 || order[0] == 0, "{order:?}");
    let slow = json!({"url": site.url("/delay/5"), "timeout": 0.2}).to_string();
    let (_list, path) = named("rows.jsonl", slow);
    // The row's timeout takes precedence over the options.
    let long = ["-m", "60", "--timeout", "/delay/=60"];
    let record = fetch_all(&[&["-i", &path, "--retry", "0"], &long[..]].concat()).record();
    assert_eq!(record["outcome"], "timeout", "{record}");
}

#[test]
fn malformed_rows_are_reported_and_the_rest_is_fetched() {
    let site = site();
    let good = json!({"url": site.url("/get")}).to_string();
    let bad = [
        r#"{"ur": "http://a.test/"}"#,
        r#"{"url": "http://a.test/"#,
        r#"{"url": "not a url"}"#,
        r#"{"url": "http://a.test/", "method": "G T"}"#,
        "http://a.test/",
        r#"{"url": "http://a.test/", "checksum": "md5:12"}"#,
    ];
    let (_list, path) = named(
        "rows.jsonl",
        format!("{good}\n{}\n{good}\n", bad.join("\n")),
    );
    let ran = fetch_all(&["-i", &path]);
    assert_eq!(ran.code, 2, "{ran:?}");
    let outcomes: Vec<_> = ran.records().iter().map(|r| r["outcome"].clone()).collect();
    let count = |name| outcomes.iter().filter(|outcome| *outcome == name).count();
    assert_eq!((count("ok"), count("invalid")), (2, bad.len()), "{ran:?}");
    assert!(
        ran.stderr.contains("rows.jsonl:2: there is no \"url\""),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_truncated_list_is_reported_and_its_beginning_is_fetched() {
    let site = site();
    let text: String = (0..2000)
        .map(|n| site.url(&format!("/get?{n}")) + "\n")
        .collect();
    let packed = gzip(&text);
    let (_list, path) = named("list.gz", &packed[..packed.len() / 2]);
    let ran = fetch_all(&["-i", &path]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(
        ran.stderr.contains("its gzip data is truncated"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.records()
            .iter()
            .filter(|record| record["outcome"] == "ok")
            .count()
            > 100
    );
}

#[test]
fn the_state_identifies_a_row_by_id_or_request() {
    let site = site();
    let rows = [
        json!({"url": site.url("/anything/1"), "id": "a"}),
        json!({"url": site.url("/anything/1"), "body": "x"}),
        json!({"url": site.url("/anything/1"), "body": "y"}),
    ];
    let rows: Vec<_> = rows.iter().map(Value::to_string).collect();
    let (list, path) = named("rows.jsonl", rows.join("\n"));
    let (state, out) = (list.path("state"), list.path("out"));
    let arguments = ["-i", &path, "--state", &state, "-o", &out];
    assert_eq!(fetch_all(&arguments).code, 0);
    assert_eq!(site.hits("/anything/1"), 3);
    let again = fetch_all(&arguments);
    assert_eq!((again.code, site.hits("/anything/1")), (0, 3));
    assert_eq!(parse(&fs::read_to_string(&out).unwrap()).len(), 3);
}

#[test]
fn parquet_records_can_be_the_next_list() {
    let site = site();
    let list = List::new("");
    let records = list.path("records.parquet");
    let urls = [site.url("/get?1"), site.url("/get?2")];
    let ran = fetch_all(&[
        "-X", "PUT", "-d", "x", "-o", &records, "--format", "parquet", &urls[0], &urls[1],
    ]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let again = fetch_all(&["-i", &records]);
    assert_eq!(again.code, 0, "{again:?}");
    let again = again.records();
    assert_eq!((again.len(), &again[1]["method"]), (2, &json!("PUT")));
    assert_eq!((site.hits("/get?1"), site.hits("/get?2")), (2, 2));
    let other = fetch_all(&["-i", &records, "--url-column", "none"]);
    assert!(
        other.stderr.contains("there is no column \"none\", but"),
        "{other:?}"
    );
}

#[test]
fn a_damaged_parquet_file_is_reported_and_the_rest_is_fetched() {
    let site = site();
    let list = List::new("");
    let whole = list.path("whole.parquet");
    fetch_all(&["-o", &whole, "--format", "parquet", &site.url("/get?1")]);
    let bytes = fs::read(&whole).unwrap();
    for (n, damaged) in [bytes[..bytes.len() / 2].to_vec(), {
        let mut bytes = bytes.clone();
        let half = bytes.len() / 2;
        bytes[4..half].fill(0xff);
        bytes
    }]
    .into_iter()
    .enumerate()
    {
        let path = list.path(&format!("{n}.parquet"));
        fs::write(&path, damaged).unwrap();
        let ran = fetch_all(&["-i", &path, "--url", &site.url("/get?good")]);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.stderr.contains("damaged"), "{}", ran.stderr);
        assert!(ran.stdout.contains("get?good"), "{ran:?}");
    }
}

/// Writes a Parquet list with two groups of one row each. The second is damaged.
fn half_damaged_parquet(path: &str, urls: [&str; 2]) {
    use parquet::data_type::ByteArrayType;
    use parquet::file::properties::WriterProperties;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    let schema = parse_message_type("message list { required binary url (UTF8); }").unwrap();
    let file = fs::File::create(path).unwrap();
    let properties = WriterProperties::builder().build();
    let mut writer = SerializedFileWriter::new(file, schema.into(), properties.into()).unwrap();
    for url in urls {
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let urls = column.typed::<ByteArrayType>();
        urls.write_batch(&[url.into()], None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.close().unwrap();
    let file = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    let (start, length) = file.metadata().row_group(1).column(0).byte_range();
    let mut bytes = fs::read(path).unwrap();
    bytes[start as usize..][..length as usize].fill(0xff);
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_parquet_list_that_breaks_after_its_first_rows_is_reported_and_they_are_fetched() {
    let site = site();
    let list = List::new("");
    let path = list.path("half.parquet");
    half_damaged_parquet(&path, [&site.url("/get?1"), &site.url("/get?2")]);
    let ran = fetch_all(&["-i", &path, "--url", &site.url("/get?3")]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(
        ran.stderr.contains("half.parquet: cannot be read further"),
        "{}",
        ran.stderr
    );
    let hits = [1, 2, 3].map(|n| site.hits(&format!("/get?{n}")));
    assert_eq!((hits, ran.records().len()), ([1, 0, 1], 2));
}
