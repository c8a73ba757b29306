//! Tests of reading listings as servers write them.

use super::*;

/// The objects as `key bytes etag class`, and what is told besides.
fn objects(answer: &str) -> Result<(Vec<String>, Told), Unlisted> {
    let mut objects = Vec::new();
    let told = read(answer.as_bytes(), |Listed { key, bytes, etag, storage_class, .. }| {
        let (etag, class) = (etag.unwrap_or("-"), storage_class.unwrap_or("-"));
        objects.push(format!("{key} {bytes} {etag} {class}"));
    })?;
    Ok((objects, told))
}

#[test]
fn a_page_as_aws_writes_it() {
    let answer = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Name>media</Name><Prefix>film/</Prefix><KeyCount>2</KeyCount><MaxKeys>2</MaxKeys>
  <IsTruncated>true</IsTruncated>
  <Contents>
    <Key>film/a</Key><LastModified>2026-11-22T11:00:00.000Z</LastModified>
    <ETag>"9b2cf535f27731c974343645a3985328"</ETag><Size>2000000</Size>
    <Owner><ID>abc</ID><DisplayName>Key</DisplayName></Owner><StorageClass>STANDARD</StorageClass>
  </Contents>
  <Contents><Key>film/b</Key><Size>0</Size></Contents>
  <CommonPrefixes><Prefix>film/c/</Prefix></CommonPrefixes>
  <NextContinuationToken>1abc</NextContinuationToken>
</ListBucketResult>"#;
    let (found, told) = objects(answer).unwrap();
    assert_eq!(
        found,
        ["film/a 2000000 \"9b2cf535f27731c974343645a3985328\" STANDARD", "film/b 0 - -"]
    );
    assert_eq!(told, Told { is_truncated: true, last: Some("film/b".to_owned()) });
}

#[test]
fn characters_may_be_written_in_every_way_of_xml() {
    let answer = "<s3:ListBucketResult xmlns:s3=\"x\"><s3:Contents>\
        <s3:Key>a&amp;b&#32;&#x1F3AC;<![CDATA[<c>]]>é</s3:Key><s3:ETag>&quot;1&quot;</s3:ETag>\
        <s3:Size> 7 </s3:Size></s3:Contents></s3:ListBucketResult>";
    assert_eq!(objects(answer).unwrap().0, ["a&b 🎬<c>é 7 \"1\" -"]);
}

#[test]
fn what_is_deeper_in_an_object_is_not_about_the_object() {
    let answer = "<ListBucketResult><Contents><Owner><Key>no</Key><Size>9</Size></Owner>\
        <Size>1</Size><Key>a</Key></Contents><Other><Key>no</Key><IsTruncated>true</IsTruncated></Other>\
        </ListBucketResult>";
    let (found, told) = objects(answer).unwrap();
    assert_eq!(found, ["a 1 - -"]);
    assert!(!told.is_truncated);
}

#[test]
fn an_empty_listing_has_no_last_key() {
    for answer in ["<ListBucketResult/>", "<ListBucketResult></ListBucketResult>"] {
        assert_eq!(objects(answer), Ok((Vec::new(), Told::default())));
    }
}

#[test]
fn what_is_no_whole_listing_is_an_error() {
    for (answer, why) in [
        ("", "cut off"),
        ("<ListBucketResult><Contents><Key>a</Key>", "cut off"),
        ("<ListBucketResult><Contents><Key>a</Key><Size>1</Size></Contents>", "cut off"),
        ("<ListBucketResult><Contents></Key></Contents></ListBucketResult>", "cannot be read"),
        (
            "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
            "without its key",
        ),
        ("<ListBucketResult><Contents><Key>&x;</Key></Contents></ListBucketResult>", "`&x;`"),
        ("<Error><Message>busy</Message></Error>", "an error without a code"),
        ("<Error><Code>SlowDown</Code>", "cut off"),
        (
            "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
            "`a` is listed without a size",
        ),
        (
            "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
            "`a` is listed without a size",
        ),
        ("<html><body>busy</body></html>", "no listing but `html`"),
        ("not XML at all", "cut off"),
    ] {
        let Unlisted::Garbled(error) = objects(answer).unwrap_err() else { panic!("{answer}") };
        assert!(error.contains(why), "{answer}: {error}");
    }
}

#[test]
fn an_error_after_a_good_status_keeps_its_code() {
    let answer = "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code>\
        <Message>Please reduce your request rate.</Message><Resource><Code>no</Code></Resource></Error>";
    let (code, message) = ("SlowDown".to_owned(), "Please reduce your request rate.".to_owned());
    assert_eq!(objects(answer), Err(Unlisted::Refused { code, message }));
}
