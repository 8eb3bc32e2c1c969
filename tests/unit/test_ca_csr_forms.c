#include "tests/unit/test_ca_csr.h"
#include "base/text.h"

struct row {
	const char *name;
	const char *hex; /* what follows the key in CertificationRequestInfo */
	enum rc rc;
	const char *clause;
};

/* clang-format off */
static const struct row rows[] = {
	{ "no attributes",
		"a000",
		RC_OK, "" },
	{ "[0] missing",
		"",
		RC_OK, "" },
	{ "another tag for [0]",
		"a100",
		RC_MALFORMED, "attributes" },
	{ "bytes after the attributes",
		"a0000500",
		RC_MALFORMED, "trailing" },
	{ "printable challenge",
		"a014301206092a864886f70d01090731051303616263",
		RC_OK, "" },
	{ "UTF-8 challenge",
		"a013301106092a864886f70d01090731040c02c3a4",
		RC_OK, "" },
	{ "IA5 challenge",
		"a014301206092a864886f70d01090731051603614062",
		RC_OK, "" },
	{ "Teletex challenge",
		"a014301206092a864886f70d01090731051403616263",
		RC_UNSUPPORTED, "string type 14" },
	{ "empty challenge",
		"a011300f06092a864886f70d01090731020c00",
		RC_MALFORMED, "challengePassword" },
	{ "challenge outside its set",
		"a014301206092a864886f70d01090731051303612a63",
		RC_MALFORMED, "tag 13" },
	{ "challenge of 256 bytes",
		"a08201173082011306092a864886f70d010907318201040c8201007878787878"
		"7878787878787878787878787878787878787878787878787878787878787878"
		"7878787878787878787878787878787878787878787878787878787878787878"
		"7878787878787878787878787878787878787878787878787878787878787878"
		"7878787878787878787878787878787878787878787878787878787878787878"
		"7878787878787878787878787878787878787878787878787878787878787878"
		"7878787878787878787878787878787878787878787878787878787878787878"
		"7878787878787878787878787878787878787878787878787878787878787878"
		"787878787878787878787878787878787878787878787878787878",
		RC_TOOBIG, "over 255" },
	{ "challenge without value",
		"a00f300d06092a864886f70d0109073100",
		RC_MALFORMED, "missing" },
	{ "challenge of two values",
		"a015301306092a864886f70d01090731060c01610c0162",
		RC_MALFORMED, "more than one" },
	{ "challenge twice",
		"a024301006092a864886f70d01090731030c0161301006092a864886f70d0109"
		"0731030c0162",
		RC_MALFORMED, "a type twice" },
	{ "unknown attribute twice",
		"a014300806022a0431020500300806022a0431020500",
		RC_MALFORMED, "a type twice" },
	{ "unknown attribute, broken DER",
		"a00c300a06022a04310402020001",
		RC_MALFORMED, "not canonical" },
	{ "attribute with a tail",
		"a00a300806022a0431000500",
		RC_MALFORMED, "trailing" },
	{ "attributes out of order",
		"a023300f06092a864886f70d01090e31023000301006092a864886f70d010907"
		"31030c0161",
		RC_OK, "" },
	{ "17 attributes",
		"a081aa300806022a0031020500300806022a0131020500300806022a02310205"
		"00300806022a0331020500300806022a0431020500300806022a053102050030"
		"0806022a0631020500300806022a0731020500300806022a0831020500300806"
		"022a0931020500300806022a0a31020500300806022a0b31020500300806022a"
		"0c31020500300806022a0d31020500300806022a0e31020500300806022a0f31"
		"020500300806022a1031020500",
		RC_TOOBIG, "more than 16" },
	{ "16 attributes",
		"a081a0300806022a0031020500300806022a0131020500300806022a02310205"
		"00300806022a0331020500300806022a0431020500300806022a053102050030"
		"0806022a0631020500300806022a0731020500300806022a0831020500300806"
		"022a0931020500300806022a0a31020500300806022a0b31020500300806022a"
		"0c31020500300806022a0d31020500300806022a0e31020500300806022a0f31"
		"020500",
		RC_OK, "" },
	{ "33 extensions",
		"a082011f3082011b06092a864886f70d01090e3182010c30820108300606022a"
		"000400300606022a010400300606022a020400300606022a030400300606022a"
		"040400300606022a050400300606022a060400300606022a070400300606022a"
		"080400300606022a090400300606022a0a0400300606022a0b0400300606022a"
		"0c0400300606022a0d0400300606022a0e0400300606022a0f0400300606022a"
		"100400300606022a110400300606022a120400300606022a130400300606022a"
		"140400300606022a150400300606022a160400300606022a170400300606022a"
		"180400300606022a190400300606022a1a0400300606022a1b0400300606022a"
		"1c0400300606022a1d0400300606022a1e0400300606022a1f0400300606022a"
		"200400",
		RC_TOOBIG, "more than 32" },
	{ "extension twice",
		"a021301f06092a864886f70d01090e31123010300606022a040400300606022a"
		"040400",
		RC_MALFORMED, "an extension twice" },
	{ "critical FALSE written",
		"a01c301a06092a864886f70d01090e310d300b300906022a040101000400",
		RC_OK, "" },
	{ "critical 01",
		"a01c301a06092a864886f70d01090e310d300b300906022a040101010400",
		RC_MALFORMED, "not canonical" },
	{ "extension with a tail",
		"a01b301906092a864886f70d01090e310c300a300806022a0404000500",
		RC_MALFORMED, "trailing" },
	{ "two extensionRequest values",
		"a013301106092a864886f70d01090e310430003000",
		RC_MALFORMED, "more than one" },
	{ "dns",
		"a029302706092a864886f70d01090e311a301830160603551d11040f300d820b"
		"612d312e6578616d706c65",
		RC_OK, "" },
	{ "wildcard dns",
		"a027302506092a864886f70d01090e3118301630140603551d11040d300b8209"
		"2a2e6578616d706c65",
		RC_OK, "" },
	{ "dns, bare wildcard",
		"a01f301d06092a864886f70d01090e3110300e300c0603551d11040530038201"
		"2a",
		RC_MALFORMED, "valid dns" },
	{ "dns, inner wildcard",
		"a023302106092a864886f70d01090e3114301230100603551d11040930078205"
		"612e2a2e62",
		RC_MALFORMED, "valid dns" },
	{ "dns, partial wildcard",
		"a022302006092a864886f70d01090e31133011300f0603551d11040830068204"
		"612a2e62",
		RC_MALFORMED, "valid dns" },
	{ "dns, underscore",
		"a021301f06092a864886f70d01090e31123010300e0603551d11040730058203"
		"615f62",
		RC_MALFORMED, "valid dns" },
	{ "dns, empty label",
		"a022302006092a864886f70d01090e31133011300f0603551d11040830068204"
		"612e2e62",
		RC_MALFORMED, "valid dns" },
	{ "dns, trailing dot",
		"a020301e06092a864886f70d01090e3111300f300d0603551d11040630048202"
		"612e",
		RC_MALFORMED, "valid dns" },
	{ "dns, empty",
		"a01e301c06092a864886f70d01090e310f300d300b0603551d11040430028200",
		RC_MALFORMED, "valid dns" },
	{ "dns, space",
		"a01f301d06092a864886f70d01090e3110300e300c0603551d11040530038201"
		"20",
		RC_MALFORMED, "valid dns" },
	{ "dns, hyphen in front",
		"a020301e06092a864886f70d01090e3111300f300d0603551d11040630048202"
		"2d61",
		RC_MALFORMED, "valid dns" },
	{ "dns, hyphen behind",
		"a022302006092a864886f70d01090e31133011300f0603551d11040830068204"
		"612d2e62",
		RC_MALFORMED, "valid dns" },
	{ "dns, NUL",
		"a021301f06092a864886f70d01090e31123010300e0603551d11040730058203"
		"610062",
		RC_MALFORMED, "valid dns" },
	{ "dns, 8 bits",
		"a01f301d06092a864886f70d01090e3110300e300c0603551d11040530038201"
		"e4",
		RC_MALFORMED, "valid dns" },
	{ "dns, long label",
		"a05e305c06092a864886f70d01090e314f304d304b0603551d11044430428240"
		"6161616161616161616161616161616161616161616161616161616161616161"
		"6161616161616161616161616161616161616161616161616161616161616161",
		RC_MALFORMED, "valid dns" },
	{ "email",
		"a021301f06092a864886f70d01090e31123010300e0603551d11040730058103"
		"614062",
		RC_OK, "" },
	{ "email, without @",
		"a020301e06092a864886f70d01090e3111300f300d0603551d11040630048102"
		"6162",
		RC_MALFORMED, "valid email" },
	{ "email, two @",
		"a023302106092a864886f70d01090e3114301230100603551d11040930078105"
		"6140624063",
		RC_MALFORMED, "valid email" },
	{ "email, space",
		"a023302106092a864886f70d01090e3114301230100603551d11040930078105"
		"6120624063",
		RC_MALFORMED, "valid email" },
	{ "email, empty local part",
		"a020301e06092a864886f70d01090e3111300f300d0603551d11040630048102"
		"4062",
		RC_MALFORMED, "valid email" },
	{ "email, empty domain",
		"a020301e06092a864886f70d01090e3111300f300d0603551d11040630048102"
		"6140",
		RC_MALFORMED, "valid email" },
	{ "uri",
		"a027302506092a864886f70d01090e3118301630140603551d11040d300b8609"
		"75726e3a6465763a31",
		RC_OK, "" },
	{ "uri, without scheme",
		"a023302106092a864886f70d01090e3114301230100603551d11040930078605"
		"2f2f612f62",
		RC_MALFORMED, "valid uri" },
	{ "uri, scheme of digits",
		"a022302006092a864886f70d01090e31133011300f0603551d11040830068604"
		"31613a62",
		RC_MALFORMED, "valid uri" },
	{ "uri, space",
		"a025302306092a864886f70d01090e3116301430120603551d11040b30098607"
		"75726e3a612062",
		RC_MALFORMED, "valid uri" },
	{ "uri, newline",
		"a024302206092a864886f70d01090e3115301330110603551d11040a30088606"
		"75726e3a610a",
		RC_MALFORMED, "valid uri" },
	{ "uri, empty",
		"a022302006092a864886f70d01090e31133011300f0603551d11040830068604"
		"75726e3a",
		RC_MALFORMED, "valid uri" },
	{ "ip 4",
		"a022302006092a864886f70d01090e31133011300f0603551d11040830068704"
		"0a000001",
		RC_OK, "" },
	{ "ip 6",
		"a02e302c06092a864886f70d01090e311f301d301b0603551d11041430128710"
		"00000000000000000000000000000001",
		RC_OK, "" },
	{ "ip, 5 octets",
		"a023302106092a864886f70d01090e3114301230100603551d11040930078705"
		"0000000000",
		RC_MALFORMED, "valid ip" },
	{ "ip, with a mask",
		"a026302406092a864886f70d01090e3117301530130603551d11040c300a8708"
		"0000000000000000",
		RC_MALFORMED, "valid ip" },
	{ "directory",
		"a02c302a06092a864886f70d01090e311d301b30190603551d1104123010a40e"
		"300c310a300806035504030c0178",
		RC_OK, "" },
	{ "directory, broken",
		"a022302006092a864886f70d01090e31133011300f0603551d1104083006a404"
		"30023100",
		RC_MALFORMED, "empty" },
	{ "registered id",
		"a020301e06092a864886f70d01090e3111300f300d0603551d11040630048802"
		"2a04",
		RC_OK, "" },
	{ "registered id, cut",
		"a020301e06092a864886f70d01090e3111300f300d0603551d11040630048802"
		"2a84",
		RC_MALFORMED, "valid registeredID" },
	{ "x400Address",
		"a01e301c06092a864886f70d01090e310f300d300b0603551d1104043002a300",
		RC_UNSUPPORTED, "tag a3" },
	{ "ediPartyName",
		"a01e301c06092a864886f70d01090e310f300d300b0603551d1104043002a500",
		RC_UNSUPPORTED, "tag a5" },
	{ "hardwareModuleName",
		"a034303206092a864886f70d01090e3125302330210603551d11041a3018a016"
		"06082b06010505070804a00a300806022a0404020102",
		RC_OK, "" },
	{ "hardwareModuleName, no serial",
		"a030302e06092a864886f70d01090e3121301f301d0603551d1104163014a012"
		"06082b06010505070804a006300406022a04",
		RC_MALFORMED, "hwSerialNum" },
	{ "permanentIdentifier",
		"a034303206092a864886f70d01090e3125302330210603551d11041a3018a016"
		"06082b06010505070803a00a30080c02696406022a04",
		RC_OK, "" },
	{ "permanentIdentifier, empty",
		"a02c302a06092a864886f70d01090e311d301b30190603551d1104123010a00e"
		"06082b06010505070803a0023000",
		RC_OK, "" },
	{ "permanentIdentifier, bad UTF-8",
		"a02f302d06092a864886f70d01090e3120301e301c0603551d1104153013a011"
		"06082b06010505070803a00530030c01c3",
		RC_MALFORMED, "UTF-8" },
	{ "otherName",
		"a027302506092a864886f70d01090e3118301630140603551d11040d300ba009"
		"06022a04a0030c0178",
		RC_OK, "" },
	{ "otherName, two values",
		"a028302606092a864886f70d01090e3119301730150603551d11040e300ca00a"
		"06022a04a00405000500",
		RC_MALFORMED, "trailing" },
	{ "no names",
		"a01c301a06092a864886f70d01090e310d300b30090603551d1104023000",
		RC_MALFORMED, "empty" },
	{ "33 names",
		"a07f307d06092a864886f70d01090e3170306e306c0603551d11046530638201"
		"6182016182016182016182016182016182016182016182016182016182016182"
		"0161820161820161820161820161820161820161820161820161820161820161"
		"8201618201618201618201618201618201618201618201618201618201618201"
		"61",
		RC_TOOBIG, "more than 32" },
	{ "bytes after the names",
		"a021301f06092a864886f70d01090e31123010300e0603551d11040730038201"
		"610500",
		RC_MALFORMED, "trailing" },
	{ "key usage",
		"a021301f06092a864886f70d01090e31123010300e0603551d0f0101ff040403"
		"0205a0",
		RC_OK, "" },
	{ "key usage with zero tail",
		"a01e301c06092a864886f70d01090e310f300d300b0603551d0f0404030204a0",
		RC_MALFORMED, "trailing zero" },
	{ "key usage with a tail",
		"a020301e06092a864886f70d01090e3111300f300d0603551d0f0406030205a0"
		"0500",
		RC_MALFORMED, "trailing bytes" },
	{ "eku",
		"a026302406092a864886f70d01090e3117301530130603551d25040c300a0608"
		"2b06010505070302",
		RC_OK, "" },
	{ "eku, empty",
		"a01c301a06092a864886f70d01090e310d300b30090603551d2504023000",
		RC_MALFORMED, "extKeyUsage: empty" },
	{ "eku, no OID",
		"a01e301c06092a864886f70d01090e310f300d300b0603551d25040430020500",
		RC_MALFORMED, "extKeyUsage" },
	{ "not a CA",
		"a01c301a06092a864886f70d01090e310d300b30090603551d1304023000",
		RC_OK, "" },
	{ "not a CA, written out",
		"a01f301d06092a864886f70d01090e3110300e300c0603551d13040530030101"
		"00",
		RC_OK, "" },
	{ "CA",
		"a022302006092a864886f70d01090e31133011300f0603551d13040830060101"
		"ff020100",
		RC_OK, "" },
	{ "CA with a tail",
		"a021301f06092a864886f70d01090e31123010300e0603551d13040730050101"
		"ff0500",
		RC_MALFORMED, "basicConstraints" },
};
/* clang-format on */

/* One fixture and one process for the whole table: making keys is dear. */
START_TEST(csr_attributes_follow_their_rfcs)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf attributes = unhex(rows[i].hex);
		struct csr_parts parts = { .key = keys()->p256,
			.alg = ALG_ECDSA_SHA256,
			.hash = "SHA256",
			.attributes = buf_bytes(&attributes) };
		struct buf in = csr_make(&parts);
		struct why why = WHY_NONE;
		struct csr *csr;

		check_result(rows[i].name,
		        csr_parse(&csr, keys()->ctx, buf_bytes(&in), &why),
		        rows[i].rc, &why, rows[i].clause);
		ck_assert((csr != NULL) == (rows[i].rc == RC_OK));
		csr_free(csr);
		buf_free(&in);
		buf_free(&attributes);
	}
}
END_TEST

struct text_row {
	const char *hex; /* one GeneralName */
	enum san_kind kind;
	const char *text;
};

static const struct text_row text_rows[] = {
	{ "8201 61", SAN_DNS, "a" },
	{ "8103 614062", SAN_EMAIL, "a@b" },
	{ "8605 75726e3a61", SAN_URI, "urn:a" },
	{ "8704 0a000001", SAN_IP, "10.0.0.1" },
	{ "8710 20010db8000000000000000000000001", SAN_IP, "2001:db8::1" },
	{ "a40e 300c310a300806035504030c0161", SAN_DIRECTORY, "CN=a" },
	{ "8802 2a04", SAN_REGISTERED_ID, "1.2.4" },
	{ "a018 06082b06010505070804 a00c 300a 06022a04 04040a0b0c0d",
	        SAN_HARDWARE_MODULE, "1.2.4 0a0b0c0d" },
	{ "a014 06082b06010505070803 a008 3006 0c02c3a4 0500", SAN_OTHER, "" },
	{ "a012 06082b06010505070803 a006 3004 0c02c3a4", SAN_PERMANENT_ID,
	        "\\xc3\\xa4" },
	{ "a009 06022a04 a003 0c0178", SAN_OTHER, "1.2.4 0c0178" },
};

static struct buf san_of(const char *spaced)
{
	struct buf hex = BUF_INIT(1024), name, out = BUF_INIT(1024);

	for (; *spaced; spaced++) {
		if (*spaced != ' ')
			buf_add_u8(&hex, (uint8_t)*spaced);
	}
	name = unhex(buf_cstr(&hex));
	buf_add_u8(&out, DER_SEQUENCE);
	buf_add_u8(&out, (uint8_t)name.n);
	buf_add(&out, buf_bytes(&name));
	buf_free(&name);
	buf_free(&hex);
	return out;
}

START_TEST(alternative_names_have_kinds_and_texts)
{
	const struct text_row *row = &text_rows[_i];
	struct buf in = san_of(row->hex), text = BUF_INIT(256);
	struct why why = WHY_NONE;
	struct san_list list;
	bool refused = row->text[0] == '\0';

	ck_assert_int_eq(san_parse(&list, buf_bytes(&in), &why),
	        refused ? RC_MALFORMED : RC_OK);
	if (!refused) {
		ck_assert_uint_eq(list.n, 1);
		ck_assert_int_eq(list.entries[0].kind, row->kind);
		ck_assert(bytes_eq(
		        list.entries[0].full, bytes_skip(buf_bytes(&in), 2)));
		ck_assert_int_eq(san_text(&text, &list.entries[0]), RC_OK);
		ck_assert_str_eq(buf_cstr(&text), row->text);
	}
	buf_free(&text);
	buf_free(&in);
}
END_TEST

TCase *test_csr_attributes(void)
{
	TCase *t = tcase_create("attributes");

	tcase_add_unchecked_fixture(t, keys_make, keys_free);
	tcase_add_test(t, csr_attributes_follow_their_rfcs);
	tcase_add_loop_test(t, alternative_names_have_kinds_and_texts, 0,
	        sizeof(text_rows) / sizeof(text_rows[0]));
	return t;
}

#define B64 "MAMCAQA="
#define PEM(label, body)                                                       \
	"-----BEGIN " label "-----\n" body "\n-----END " label "-----"

struct wire_row {
	const char *name;
	struct bytes body;
	enum rc rc;
	const char *clause;
};

static const struct wire_row wire_rows[] = {
	{ "DER", BYTES_LIT("\x30\x03\x02\x01\x00"), RC_OK, "" },
	{ "base64", BYTES_LIT(B64), RC_OK, "" },
	{ "base64 without padding", BYTES_LIT("MAMCAQA"), RC_OK, "" },
	{ "base64 and newline", BYTES_LIT(B64 "\r\n"), RC_OK, "" },
	{ "base64 in lines", BYTES_LIT("MAMC\r\nAQA=\n"), RC_OK, "" },
	{ "PEM", BYTES_LIT(PEM("CERTIFICATE REQUEST", B64)), RC_OK, "" },
	{ "PEM and newlines",
	        BYTES_LIT("\n" PEM("CERTIFICATE REQUEST", B64) "\n\n"), RC_OK,
	        "" },
	{ "PEM in CRLF",
	        BYTES_LIT("-----BEGIN CERTIFICATE REQUEST-----\r\nMAMC\r\n"
	                  "AQA=\r\n-----END CERTIFICATE REQUEST-----\r\n"),
	        RC_OK, "" },
	{ "PEM, NEW", BYTES_LIT(PEM("NEW CERTIFICATE REQUEST", B64)), RC_OK,
	        "" },
	{ "PEM below words",
	        BYTES_LIT("Certificate Request:\n  Subject: -----BEGIN x\n"
	                  "-\n\n" PEM("CERTIFICATE REQUEST", B64) "\n"),
	        RC_OK, "" },
	{ "PEM in a line of words",
	        BYTES_LIT("x" PEM("CERTIFICATE REQUEST", B64)), RC_MALFORMED,
	        "neither" },
	{ "words below PEM",
	        BYTES_LIT(PEM("CERTIFICATE REQUEST", B64) "\nwords\n"),
	        RC_MALFORMED, "PEM" },
	{ "a key above PEM",
	        BYTES_LIT(PEM("PRIVATE KEY", B64) "\n" PEM(
	                "CERTIFICATE REQUEST", B64)),
	        RC_MALFORMED, "PEM" },
	{ "empty", BYTES_LIT(""), RC_MALFORMED, "empty" },
	{ "blank", BYTES_LIT(" \r\n"), RC_MALFORMED, "empty" },
	{ "not base64", BYTES_LIT("MAMC!"), RC_MALFORMED, "neither" },
	{ "nonzero trailing bits", BYTES_LIT("MAMCAQB="), RC_MALFORMED,
	        "neither" },
	{ "PEM of a certificate", BYTES_LIT(PEM("CERTIFICATE", B64)),
	        RC_MALFORMED, "PEM" },
	{ "PEM, labels differ",
	        BYTES_LIT("-----BEGIN NEW CERTIFICATE REQUEST-----\n" B64
	                  "\n-----END CERTIFICATE REQUEST-----"),
	        RC_MALFORMED, "PEM" },
	{ "PEM cut short",
	        BYTES_LIT("-----BEGIN CERTIFICATE REQUEST-----\n" B64),
	        RC_MALFORMED, "PEM" },
	{ "PEM twice",
	        BYTES_LIT(PEM("CERTIFICATE REQUEST", B64) "\n" PEM(
	                "CERTIFICATE REQUEST", B64)),
	        RC_MALFORMED, "neither" },
};

START_TEST(est_bodies_come_in_many_forms)
{
	const struct wire_row *row = &wire_rows[_i];
	struct buf out = BUF_INIT(CSR_DER_MAX_BYTES);
	struct why why = WHY_NONE;

	check_result(row->name, csr_from_wire(&out, row->body, &why), row->rc,
	        &why, row->clause);
	if (row->rc == RC_OK)
		ck_assert(bytes_eq(
		        buf_bytes(&out), BYTES_LIT("\x30\x03\x02\x01\x00")));
	else
		ck_assert_uint_eq(out.n, 0);
	buf_free(&out);
}
END_TEST

START_TEST(est_bodies_have_caps)
{
	static uint8_t body[CSR_WIRE_MAX_BYTES + 1];
	struct buf out = BUF_INIT(1u << 20);
	struct why why = WHY_NONE;

	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = 'M';
	check_result("body", csr_from_wire(&out, BYTES_ARRAY(body), &why),
	        RC_TOOBIG, &why, "over 24576");
	check_result("decoded",
	        csr_from_wire(&out, bytes_of(body, CSR_WIRE_MAX_BYTES), &why),
	        RC_TOOBIG, &why, "too large");
	body[0] = DER_SEQUENCE;
	check_result("raw",
	        csr_from_wire(
	                &out, bytes_of(body, CSR_DER_MAX_BYTES + 1), &why),
	        RC_TOOBIG, &why, "too large");
	ck_assert_uint_eq(out.n, 0);
	buf_free(&out);
}
END_TEST

TCase *test_csr_wire(void)
{
	TCase *t = tcase_create("wire");

	tcase_add_loop_test(t, est_bodies_come_in_many_forms, 0,
	        sizeof(wire_rows) / sizeof(wire_rows[0]));
	tcase_add_test(t, est_bodies_have_caps);
	return t;
}
