/* Wrong configurations, and exactly what is said about each. */
#include "tests/unit/test_conf.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *rule;
	const char *yaml;
	const char *errors;
} wrong[] = {
	{ "a_tab_is_named",
	        "log:\n"
	        "\011level: info\n",
	        "m.yaml:2:1: is not YAML: a tab stands where only "
	        "spaces may\n" },
	{ "yaml_syntax", "log: [a\n",
	        "m.yaml:2:1: is not YAML: did not find expected ',' "
	        "or ']' (while parsing a flow sequence, line 1)\n" },
	{ "one_document_only",
	        "log:\n"
	        "---\n"
	        "log:\n",
	        "m.yaml:2:1: a second YAML document begins\n" },
	{ "no_anchors",
	        "log: &x\n"
	        "  level: info\n"
	        "limits: *x\n",
	        "m.yaml:1:6: YAML anchors and aliases (& and *) are "
	        "not supported: write the value out\n" },
	{ "no_aliases", "limits: *x\n",
	        "m.yaml:1:9: YAML anchors and aliases (& and *) are "
	        "not supported: write the value out\n" },
	{ "no_tags", "log: !!str text\n",
	        "m.yaml:1:6: YAML tags (!) are not supported; quote "
	        "a text that begins with one\n" },
	{ "no_duplicate_keys",
	        "log:\n"
	        "  level: info\n"
	        "  format: text\n"
	        "  level: warn\n",
	        "m.yaml:1:1: authorities: is missing: at least one "
	        "authority is needed\n"
	        "m.yaml:4:3: log.level: stands here a second time; "
	        "the first is on line 2\n" },
	{ "no_duplicate_sections",
	        "log:\n"
	        "store:\n"
	        "log:\n",
	        "m.yaml:1:1: authorities: is missing: at least one "
	        "authority is needed\n"
	        "m.yaml:3:1: log: stands here a second time; the "
	        "first is on line 1\n" },
	{ "keys_are_words",
	        "? [a, b]\n"
	        ": c\n",
	        "m.yaml:1:3: a key must be a plain word\n" },
	{ "keys_are_not_empty",
	        "? \n"
	        ": c\n",
	        "m.yaml:1:1: authorities: is missing: at least one "
	        "authority is needed\n"
	        "m.yaml:1:2: unknown key; known here: process, log, "
	        "store, admin, approvals, approval_life, listen, limits, ocsp, "
	        "keys, authorities, "
	        "publish, profiles, code, trust, enroll\n" },
	{ "utf8_only", "log: { level: \351 }\n",
	        "m.yaml:1:16: is not YAML: invalid trailing UTF-8 octet\n" },
	{ "no_nul", "log: { level: \"a\\0b\" }\n",
	        "m.yaml:1:15: log: a value holds a control character\n" },
	{ "no_control_characters", MINIMAL "\"log\\x1b[31m\": x\n",
	        "m.yaml:4:1: a value holds a control character\n" },
	{ "no_merge_keys", MINIMAL "<<: { a: b }\n",
	        "m.yaml:4:1: <<: unknown key; known here: process, "
	        "log, store, admin, approvals, approval_life, listen, limits, "
	        "ocsp, keys, "
	        "authorities, publish, profiles, code, trust, enroll\n" },
	{ "an_authority_is_needed", "",
	        "m.yaml:1:1: authorities: is missing: at least one "
	        "authority is needed\n" },
	{ "a_map_of_options", "hello\n",
	        "m.yaml:1:1: must be a map of options\n" },
	{ "nearest_section", "profile:\n",
	        "m.yaml:1:1: authorities: is missing: at least one "
	        "authority is needed\n"
	        "m.yaml:1:1: profile: unknown key (did you mean "
	        "\"profiles\"?)\n" },
	{ "nearest_key",
	        "log:\n"
	        "  levle: info\n",
	        "m.yaml:1:1: authorities: is missing: at least one "
	        "authority is needed\n"
	        "m.yaml:2:3: log.levle: unknown key (did you mean "
	        "\"level\"?)\n" },
	{ "known_keys_are_listed",
	        "log:\n"
	        "  zzzzzz: info\n",
	        "m.yaml:1:1: authorities: is missing: at least one "
	        "authority is needed\n"
	        "m.yaml:2:3: log.zzzzzz: unknown key; known here: "
	        "level, format\n" },
	{ "long_lists_are_in_the_manual",
	        "keys: { k: { file: k.key } }\n"
	        "authorities: { a: { certificate: a.pem, key: k } }\n"
	        "profiles: { p: { blah: x, subject: { CN: x } } }\n",
	        "m.yaml:3:18: profiles.p.blah: unknown key; "
	        "mica.yaml(5) has those known here\n" },
	{ "sections_are_maps", "log: text\n",
	        "m.yaml:1:1: authorities: is missing: at least one "
	        "authority is needed\n"
	        "m.yaml:1:6: log: must be a map of options\n" },
	{ "entries_by_name_or_by_dash",
	        "profiles: [a]\n"
	        "enroll: { est: { a: b } }\n",
	        "m.yaml:1:1: authorities: is missing: at least one "
	        "authority is needed\n"
	        "m.yaml:1:11: profiles: must be a map: one profile "
	        "by name each\n"
	        "m.yaml:2:16: enroll.est: must be a list: a dash "
	        "before each label\n" },
	{ "required_options",
	        "keys:\n"
	        "  k:\n"
	        "authorities:\n"
	        "  a: {}\n"
	        "profiles:\n"
	        "  p:\n"
	        "trust:\n"
	        "  t:\n"
	        "enroll:\n"
	        "  est:\n"
	        "    -\n"
	        "    - label: x\n"
	        "admin: { access: [ {} ] }\n",
	        "m.yaml:2:5: keys.k.file: is missing: private key in "
	        "PEM, in process.keys; or uri, for one in a token\n"
	        "m.yaml:4:6: authorities.a.certificate: is missing: "
	        "the authority's certificate in PEM\n"
	        "m.yaml:4:6: authorities.a.key: is missing: its "
	        "private key, by name\n"
	        "m.yaml:6:3: profiles.p: needs a subject or a san: a "
	        "certificate must name its holder\n"
	        "m.yaml:8:5: trust.t.certificates: is missing: "
	        "certificates of a foreign CA that vouches for "
	        "devices, in PEM\n"
	        "m.yaml:11:6: enroll.est[0].authority: is missing: "
	        "who issues here\n"
	        "m.yaml:11:6: enroll.est[0].profile: is missing: "
	        "what is issued here\n"
	        "m.yaml:12:7: enroll.est[1].authority: is missing: "
	        "who issues here\n"
	        "m.yaml:12:7: enroll.est[1].profile: is missing: "
	        "what is issued here\n"
	        "m.yaml:13:20: admin.access[0].role: is missing: "
	        "what they may do: auditor reads, operator manages "
	        "devices, admin all\n"
	        "m.yaml:13:20: admin.access[0]: needs a user or a group\n" },
	{ "keys_are_in_a_file_or_in_a_token",
	        "keys:\n"
	        "  a: { uri: 'pkcs11:object=a', file: a.key }\n"
	        "  b: { file: b.key, pin: b.pin, sessions: 2 }\n"
	        "  c: { uri: 'pkcs11:object=c?pin-value=1', module: /m.so,\n"
	        "    pin: 'credential:../x', sessions: 65, padding: oaep }\n",
	        "m.yaml:1:1: authorities: is missing: at least one "
	        "authority is needed\n"
	        "m.yaml:2:13: keys.a.uri: needs module, the PKCS#11 module "
	        "that knows the token\n"
	        "m.yaml:2:38: keys.a.file: is for a key in a file, and uri "
	        "says that it is in a token\n"
	        "m.yaml:3:26: keys.b.pin: is for a key in a token, which "
	        "needs uri\n"
	        "m.yaml:3:43: keys.b.sessions: is for a key in a token, which "
	        "needs uri\n"
	        "m.yaml:4:13: keys.c.uri: a PKCS#11 URI has no query here: "
	        "its module and PIN have options of their own\n"
	        "m.yaml:5:10: keys.c.pin: must be a path inside process.keys, "
	        "without .., or credential:NAME\n"
	        "m.yaml:5:39: keys.c.sessions: must be between 1 and 64\n"
	        "m.yaml:5:52: keys.c.padding: must be pkcs1 or pss, not "
	        "\"oaep\"\n" },
	{ "types_of_processes_store_and_admin",
	        MINIMAL "process:\n"
	                "  user: \"\"\n"
	                "  signer_user: [a]\n"
	                "  workers: 99\n"
	                "log:\n"
	                "  level: loud\n"
	                "  format: jsno\n"
	                "store:\n"
	                "  lmdb:\n"
	                "    path: \"\"\n"
	                "    size: 64GB\n"
	                "    low: 65TiB\n"
	                "    index_keys: maybe\n"
	                "admin:\n"
	                "  socket: /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
	                "  access:\n"
	                "    - { user: no-such-user-here, role: root }\n"
	                "    - { group: no-such-group-here, role: admn }\n"
	                "    - { user: 0, group: 0, role: admin }\n"
	                "    - { role: admin }\n"
	                "    - 5\n",
	        "m.yaml:5:9: process.user: must have 1 to 32 characters\n"
	        "m.yaml:6:16: process.signer_user: must be one "
	        "value, not a list\n"
	        "m.yaml:7:12: process.workers: must be between 0 and 24\n"
	        "m.yaml:9:10: log.level: must be error, warn, "
	        "notice, info or debug, not \"loud\"\n"
	        "m.yaml:10:11: log.format: unknown value \"jsno\" (did "
	        "you mean \"json\"?)\n"
	        "m.yaml:13:11: store.lmdb.path: must be a path\n"
	        "m.yaml:14:11: store.lmdb.size: must be a size with "
	        "its unit (KiB MiB GiB TiB) such as 64GiB, not \"64GB\"\n"
	        "m.yaml:15:10: store.lmdb.low: must be between 0B "
	        "and 16TiB, not 65TiB\n"
	        "m.yaml:16:17: store.lmdb.index_keys: must be yes or "
	        "no, not \"maybe\"\n"
	        "m.yaml:18:11: admin.socket: is too long a path: 107 "
	        "characters at most\n"
	        "m.yaml:20:15: admin.access[0].user: there is no "
	        "user \"no-such-user-here\" here\n"
	        "m.yaml:20:40: admin.access[0].role: must be "
	        "auditor, operator or admin, not \"root\"\n"
	        "m.yaml:21:16: admin.access[1].group: there is no "
	        "group \"no-such-group-here\" here\n"
	        "m.yaml:21:42: admin.access[1].role: unknown value "
	        "\"admn\" (did you mean \"admin\"?)\n"
	        "m.yaml:22:7: admin.access[2]: has both user and "
	        "group: give one of them\n"
	        "m.yaml:23:7: admin.access[3]: needs a user or a group\n"
	        "m.yaml:24:7: admin.access[4]: must be a map of options\n" },
	{ "types_of_listeners_and_limits",
	        MINIMAL "listen:\n"
	                "  est:\n"
	                "    address: localhost:8443\n"
	                "    authority: b\n"
	                "    names: []\n"
	                "    validity: 5 days\n"
	                "    certificate: missing.pem\n"
	                "    tls12: 1\n"
	                "  http: { address: 8080 }\n"
	                "  metrics: { address: [a] }\n"
	                "limits:\n"
	                "  handshake: 10\n"
	                "  header: 1ms\n"
	                "  connections: -5\n"
	                "  est_burst: 0\n"
	                "  est_rate_per_address: 99999999999\n",
	        "m.yaml:6:14: listen.est.address: must be an IP "
	        "address and port such as 0.0.0.0:8443 or [::]:8443, "
	        "or \"\" for off, not \"localhost:8443\"\n"
	        "m.yaml:7:16: listen.est.authority: there is no "
	        "authority \"b\": no such entry below authorities\n"
	        "m.yaml:8:12: listen.est.names: must not be empty\n"
	        "m.yaml:9:15: listen.est.validity: must be a time "
	        "with its unit (ms s min h d w y) such as 90d, not "
	        "\"5 days\"\n"
	        "m.yaml:10:18: listen.est.certificate: cannot read "
	        "the file \"missing.pem\": No such file or directory\n"
	        "m.yaml:10:18: listen.est.certificate: needs "
	        "listen.est.key, its private key\n"
	        "m.yaml:11:12: listen.est.tls12: must be yes or no, "
	        "not \"1\"\n"
	        "m.yaml:12:20: listen.http.address: must be an IP "
	        "address and port such as 0.0.0.0:8443 or [::]:8443, "
	        "or \"\" for off, not \"8080\"\n"
	        "m.yaml:13:23: listen.metrics.address: must be one "
	        "value, not a list\n"
	        "m.yaml:15:14: limits.handshake: must be a time with "
	        "its unit (ms s min h d w y) such as 90d, not \"10\"\n"
	        "m.yaml:16:11: limits.header: must be between 100ms "
	        "and 1h, not 1ms\n"
	        "m.yaml:17:16: limits.connections: must be a number, "
	        "not \"-5\"\n"
	        "m.yaml:18:14: limits.est_burst: must be between 1 "
	        "and 1000000\n"
	        "m.yaml:19:25: limits.est_rate_per_address: must be "
	        "between 0 and 1000000\n" },
	{ "certificate_without_key",
	        MINIMAL "listen: { est: { certificate: c.pem } }\n",
	        "m.yaml:4:31: listen.est.certificate: needs "
	        "listen.est.key, its private key\n" },
	{ "key_without_certificate",
	        MINIMAL "listen: { est: { key: c.key } }\n",
	        "m.yaml:4:23: listen.est.key: needs "
	        "listen.est.certificate, which it belongs to\n" },
	{ "which_of_two_authorities",
	        "keys: { k: { file: k.key } }\n"
	        "authorities: { a: { certificate: a.pem, key: k }, "
	        "b: { certificate: a.pem, key: k } }\n",
	        "m.yaml:1:1: listen.est.authority: is missing: which "
	        "of the authorities issues this listener's certificate?\n" },
	{ "crls",
	        "keys: { k: { file: k.key } }\n"
	        "publish: { url: 'http://h?x' }\n"
	        "listen: { est: { authority: c } }\n"
	        "profiles: { p: { subject: { CN: x } } }\n"
	        "authorities:\n"
	        "  a: { certificate: a.pem, key: k, crl_urls: [],\n"
	        "    crl: { shards: 2, valid: 1h, every: 31min } }\n"
	        "  a-001: { certificate: a.pem, key: k,\n"
	        "    crl_urls: ['http://x/%{shard}'] }\n"
	        "  b: { certificate: a.pem, key: k, crl: { shards: 65 },\n"
	        "    crl_urls: ['http://x/c', "
	        "'http://x/%{shard}/%{shard}'] }\n"
	        "  c: { certificate: a.pem, key: k, retired: yes,\n"
	        "    profiles: [p] }\n"
	        "enroll: { est: [ { authority: c, profile: p } ] }\n",
	        "m.yaml:2:17: publish.url: must be a URL that paths can be "
	        "added to\n"
	        "m.yaml:3:29: listen.est.authority: authority \"c\" is "
	        "retired\n"
	        "m.yaml:7:20: authorities.a.crl.shards: needs crl_urls or "
	        "publish.url: certificates must say where their shard is\n"
	        "m.yaml:7:41: authorities.a.crl.every: is over half of "
	        "crl.valid: one CRL that fails would leave none\n"
	        "m.yaml:8:3: authorities.a-001: is a shard's name of \"a\": "
	        "choose another\n"
	        "m.yaml:9:16: authorities.a-001.crl_urls[0]: has %{shard}, and "
	        "there are no shards\n"
	        "m.yaml:10:51: authorities.b.crl.shards: must be between 0 and "
	        "64\n"
	        "m.yaml:11:16: authorities.b.crl_urls[0]: needs %{shard}: "
	        "there are shards\n"
	        "m.yaml:11:30: authorities.b.crl_urls[1]: has %{shard} twice\n"
	        "m.yaml:13:15: authorities.c.profiles: does nothing: the "
	        "authority is retired\n"
	        "m.yaml:14:31: enroll.est[0].authority: authority \"c\" is "
	        "retired\n" },
	{ "generations_stand_in_a_line",
	        "keys: { k: { file: k.key } }\n"
	        "listen: { est: { authority: a } }\n"
	        "authorities:\n"
	        "  a: { certificate: a.pem, key: k }\n"
	        "  b: { certificate: a.pem, key: k, replaces: a, retired: yes "
	        "}\n"
	        "  c: { certificate: a.pem, key: k, replaces: b }\n"
	        "  d: { certificate: a.pem, key: k, replaces: b }\n"
	        "  e: { certificate: a.pem, key: k, replaces: f }\n"
	        "  f: { certificate: a.pem, key: k, replaces: e }\n"
	        "  g: { certificate: a.pem, key: k, cross: x.pem }\n",
	        "m.yaml:5:46: authorities.b.replaces: authority \"a\" is the "
	        "older one, and not retired\n"
	        "m.yaml:7:46: authorities.d.replaces: authority \"c\" "
	        "replaces it already\n"
	        "m.yaml:8:46: authorities.e.replaces: goes round in a circle: "
	        "the first generation replaces none\n"
	        "m.yaml:9:46: authorities.f.replaces: goes round in a circle: "
	        "the first generation replaces none\n"
	        "m.yaml:10:43: authorities.g.cross: needs replaces: which "
	        "generation is the other one?\n" },
	{ "registration authorities",
	        "listen: { est: { address: \"\" } }\n"
	        "keys: { issuing: { file: k.key }, ra: { file: r.key } }\n"
	        "authorities:\n"
	        "  a: { certificate: a.pem, key: issuing, ra: { key: issuing } "
	        "}\n"
	        "  b: { certificate: b.pem, key: issuing }\n"
	        "profiles: { sensor: { subject: { CN: x } } }\n"
	        "enroll:\n"
	        "  scep:\n"
	        "    - { authority: a, profile: sensor }\n"
	        "    - { authority: b, profile: sensor, legacy: [md5] }\n",
	        "m.yaml:4:53: authorities.a.ra.key: is the key of \"b\", too: "
	        "a registration authority has one of its own\n"
	        "m.yaml:10:7: enroll.scep[1]: the label \"\" is taken by "
	        "enroll.scep[0]\n"
	        "m.yaml:10:20: enroll.scep[1].authority: authority \"b\" has "
	        "no ra.key, an RSA key that SCEP needs\n"
	        "m.yaml:10:49: enroll.scep[1].legacy[0]: must be sha1, des3 "
	        "or shared_challenge, not \"md5\"\n" },
	{ "shared challenges",
	        "listen: { est: { address: \"\" } }\n"
	        "keys: { issuing: { file: k.key }, ra: { file: r.key } }\n"
	        "authorities:\n"
	        "  a: { certificate: a.pem, key: issuing, ra: { key: ra } }\n"
	        "profiles: { sensor: { subject: { CN: x } } }\n"
	        "enroll:\n"
	        "  scep:\n"
	        "    - { authority: a, profile: sensor,\n"
	        "        legacy: [shared_challenge] }\n"
	        "    - { label: b, authority: a, profile: sensor,\n"
	        "        challenge: { file: c, identity: CM } }\n"
	        "    - label: "
	        "a23456789012345678901234567890123456789012345678x\n"
	        "      authority: a\n"
	        "      profile: sensor\n"
	        "      legacy: [shared_challenge]\n"
	        "      challenge: { file: missing.challenge }\n",
	        "m.yaml:9:17: enroll.scep[0].legacy: shared_challenge needs "
	        "challenge.file, which has it\n"
	        "m.yaml:11:20: enroll.scep[1].challenge: does nothing here: "
	        "legacy has no shared_challenge\n"
	        "m.yaml:11:28: enroll.scep[1].challenge.file: must name a file "
	        "of one line of 16 to 128 printable characters\n"
	        "m.yaml:11:41: enroll.scep[1].challenge.identity: unknown "
	        "attribute \"CM\" (did you mean \"CN\"?)\n"
	        "m.yaml:12:14: enroll.scep[2].label: is over 48 characters, "
	        "and legacy has shared_challenge\n"
	        "m.yaml:16:26: enroll.scep[2].challenge.file: cannot read the "
	        "file \"missing.challenge\": No such file or directory\n" },
	{ "references",
	        "keys: { issuing: { file: k.key } }\n"
	        "authorities: { factory: { certificate: a.pem, key: "
	        "isuing, profiles: [sensr, zzzzz, sensor, sensor] } }\n"
	        "profiles: { sensor: { subject: { CN: x } } }\n"
	        "trust: { vendor: { certificates: t.pem } }\n"
	        "enroll:\n"
	        "  est:\n"
	        "    - { label: a/b, authority: fctory, profile: "
	        "zzz, allow: [tokn, token, token], anchors: [vendro] }\n"
	        "    - { label: cacerts, authority: factory, "
	        "profile: sensor, allow: [], anchors: [] }\n",
	        "m.yaml:2:52: authorities.factory.key: there is no "
	        "key \"isuing\" (did you mean \"issuing\"?)\n"
	        "m.yaml:2:71: authorities.factory.profiles[0]: there "
	        "is no profile \"sensr\" (did you mean \"sensor\"?)\n"
	        "m.yaml:2:78: authorities.factory.profiles[1]: there "
	        "is no profile \"zzzzz\": no such entry below profiles\n"
	        "m.yaml:2:93: authorities.factory.profiles[3]: "
	        "\"sensor\" stands here twice\n"
	        "m.yaml:7:16: enroll.est[0].label: a label is 1 to "
	        "64 of A-Z a-z 0-9 . _ -, not \"a/b\"\n"
	        "m.yaml:7:32: enroll.est[0].authority: there is no "
	        "authority \"fctory\" (did you mean \"factory\"?)\n"
	        "m.yaml:7:49: enroll.est[0].profile: there is no "
	        "profile \"zzz\": no such entry below profiles\n"
	        "m.yaml:7:62: enroll.est[0].allow[0]: unknown value "
	        "\"tokn\" (did you mean \"token\"?)\n"
	        "m.yaml:7:75: enroll.est[0].allow[2]: \"token\" stands "
	        "here twice\n"
	        "m.yaml:7:92: enroll.est[0].anchors: does nothing "
	        "here: allow has no idevid\n"
	        "m.yaml:7:93: enroll.est[0].anchors[0]: there is no "
	        "trust anchor \"vendro\" (did you mean \"vendor\"?)\n"
	        "m.yaml:8:16: enroll.est[1].label: \"cacerts\" is an "
	        "EST operation and cannot be a label\n"
	        "m.yaml:8:69: enroll.est[1].allow: must not be empty\n"
	        "m.yaml:8:82: enroll.est[1].anchors: must not be empty\n" },
	{ "references_to_nothing",
	        "authorities: { factory: { certificate: a.pem, key: "
	        "issuing } }\n",
	        "m.yaml:1:52: authorities.factory.key: there is no "
	        "key \"issuing\": no such entry below keys\n" },
	{ "labels",
	        "keys: { issuing: { file: k.key } }\n"
	        "authorities: { factory: { certificate: a.pem, key: "
	        "issuing, profiles: [a] } }\n"
	        "profiles: { a: { subject: { CN: x } }, b: { "
	        "subject: { CN: x } } }\n"
	        "trust: { vendor: { certificates: t.pem } }\n"
	        "enroll:\n"
	        "  est:\n"
	        "    - { authority: factory, profile: a, allow: "
	        "[token, idevid] }\n"
	        "    - { label: \"\", authority: factory, profile: a }\n"
	        "    - { label: l, authority: factory, profile: b, "
	        "anchors: [vendor] }\n"
	        "    - { label: l, authority: factory, profile: a, "
	        "allow: [idevid], anchors: [vendor] }\n",
	        "m.yaml:7:48: enroll.est[0].allow: idevid needs "
	        "anchors: name the entries of trust that may vouch "
	        "for devices here\n"
	        "m.yaml:8:16: enroll.est[1].label: the label \"\" is "
	        "taken by enroll.est[0]\n"
	        "m.yaml:9:48: enroll.est[2].profile: authority "
	        "\"factory\" may not issue profile \"b\": add it to "
	        "authorities.factory.profiles\n"
	        "m.yaml:9:60: enroll.est[2].anchors: does nothing "
	        "here: allow has no idevid\n"
	        "m.yaml:10:16: enroll.est[3].label: the label \"l\" is "
	        "taken by enroll.est[2]\n" },
	{ "types_of_profiles_and_authorities",
	        "keys: { k: { file: ../k.key, passphrase_file: "
	        "/etc/x } }\n"
	        "authorities: { a: { certificate: a.pem, chain: "
	        "missing.pem, key: k, aia: [ftp://x], ocsp_urls: "
	        "http://x, crl_urls: [http://a, http://a] } }\n"
	        "profiles:\n"
	        "  bad name: { subject: { CN: x } }\n"
	        "  nobody: {}\n"
	        "  p:\n"
	        "    keys: []\n"
	        "    validity: 200y\n"
	        "    backdate: 500ms\n"
	        "    subject: { CM: x, zzzzzzzzzz: y, CN: [], O: { "
	        "a: b }, OU: \"\", L: [a, \"\"], C: ~ }\n"
	        "    san: { dns: , hardware_module: \"1.2.3\", url: x, "
	        "email: [a, [b]] }\n"
	        "    san_critical: yeah\n"
	        "    key_usage: [keyCertSign, digitalSignatur]\n"
	        "    eku: [clientAuth, 1.2.3.x, client_auth]\n"
	        "    policies: [1.3.6.1, 5, client_auth]\n"
	        "    extensions: [ { oid: 1.2, der: 05 00 }, { oid: "
	        "1.2.3, der: \"0501\" }, { oid: 1.2.3, der: \"0500\" }, "
	        "{ critical: yes }, x ]\n"
	        "    max_active: many\n"
	        "    renew: { from: 110%, grace: never, new_key: yes }\n"
	        "    eku_critical: yes\n"
	        "  q: { subject: { CN: x }, validity: 1y, renew: { "
	        "from: 2y }, eku_critical: yes }\n"
	        "trust: { t: { certificates: [a], identity: "
	        "serialnumber }, u: { certificates: t.pem, identity: "
	        "5 } }\n",
	        "m.yaml:1:20: keys.k.file: must be a path inside "
	        "process.keys, without .., not \"../k.key\"\n"
	        "m.yaml:1:47: keys.k.passphrase_file: must be a path "
	        "inside process.keys, without .., not \"/etc/x\"\n"
	        "m.yaml:2:48: authorities.a.chain: cannot read the "
	        "file \"missing.pem\": No such file or directory\n"
	        "m.yaml:2:75: authorities.a.aia[0]: must be a URL "
	        "such as http://ca.example/ca.crt, not \"ftp://x\"\n"
	        "m.yaml:2:96: authorities.a.ocsp_urls: must be a "
	        "list, such as [a, b]\n"
	        "m.yaml:2:127: authorities.a.crl_urls[1]: \"http://a\" "
	        "stands here twice\n"
	        "m.yaml:4:3: profiles.bad name: a name is 1 to 64 of "
	        "A-Z a-z 0-9 . _ -\n"
	        "m.yaml:5:3: profiles.nobody: needs a subject or a "
	        "san: a certificate must name its holder\n"
	        "m.yaml:7:11: profiles.p.keys: must not be empty\n"
	        "m.yaml:8:15: profiles.p.validity: must be between "
	        "1min and 100y, not 200y\n"
	        "m.yaml:9:15: profiles.p.backdate: must be whole "
	        "seconds, not 500ms\n"
	        "m.yaml:10:16: profiles.p.subject.CM: unknown "
	        "attribute \"CM\" (did you mean \"CN\"?)\n"
	        "m.yaml:10:23: profiles.p.subject.zzzzzzzzzz: must "
	        "be a subject attribute such as CN or serialNumber, "
	        "or an OID, not \"zzzzzzzzzz\"\n"
	        "m.yaml:10:42: profiles.p.subject.CN: must not be empty\n"
	        "m.yaml:10:49: profiles.p.subject.O: must be a text "
	        "or a list of them\n"
	        "m.yaml:10:63: profiles.p.subject.OU: must be a "
	        "text, not an empty one\n"
	        "m.yaml:10:74: profiles.p.subject.L[1]: must be a "
	        "text, not an empty one\n"
	        "m.yaml:10:82: profiles.p.subject.C: has no value\n"
	        "m.yaml:11:17: profiles.p.san.dns: has no value: DNS "
	        "names in the certificate; one or a list\n"
	        "m.yaml:11:36: profiles.p.san.hardware_module: must "
	        "be an OID, a space and the serial number, such as "
	        "\"1.3.6.1.4.1.99999.1 %{device}\"\n"
	        "m.yaml:11:45: profiles.p.san.url: unknown key (did "
	        "you mean \"uri\"?)\n"
	        "m.yaml:11:64: profiles.p.san.email[1]: must be one "
	        "value, not a list\n"
	        "m.yaml:12:19: profiles.p.san_critical: must be yes "
	        "or no, not \"yeah\"\n"
	        "m.yaml:13:17: profiles.p.key_usage[0]: must be "
	        "digitalSignature, nonRepudiation, "
	        "contentCommitment, keyEncipherment, "
	        "dataEncipherment, keyAgreement, encipherOnly or "
	        "decipherOnly, not \"keyCertSign\"\n"
	        "m.yaml:13:30: profiles.p.key_usage[1]: unknown "
	        "value \"digitalSignatur\" (did you mean "
	        "\"digitalSignature\"?)\n"
	        "m.yaml:14:11: profiles.p.eku[0]: unknown value "
	        "\"clientAuth\" (did you mean \"client_auth\"?)\n"
	        "m.yaml:14:23: profiles.p.eku[1]: must be "
	        "client_auth, server_auth, code_signing, "
	        "email_protection, time_stamping or an OID, not "
	        "\"1.2.3.x\"\n"
	        "m.yaml:15:25: profiles.p.policies[1]: must be an "
	        "OID such as 2.23.140.1.2.1, not \"5\"\n"
	        "m.yaml:15:28: profiles.p.policies[2]: must be an "
	        "OID such as 2.23.140.1.2.1, not \"client_auth\"\n"
	        "m.yaml:16:36: profiles.p.extensions[0].der: must be "
	        "hexadecimal digits in pairs, such as 0500\n"
	        "m.yaml:16:64: profiles.p.extensions[1].der: is "
	        "hexadecimal, but not DER\n"
	        "m.yaml:16:81: profiles.p.extensions[2].oid: 1.2.3 "
	        "stands here twice\n"
	        "m.yaml:16:103: profiles.p.extensions[3].oid: is "
	        "missing: a further extension's type\n"
	        "m.yaml:16:103: profiles.p.extensions[3].der: is "
	        "missing: its value: DER in hexadecimal\n"
	        "m.yaml:16:122: profiles.p.extensions[4]: must be a "
	        "map of options\n"
	        "m.yaml:17:17: profiles.p.max_active: must be a "
	        "number, not \"many\"\n"
	        "m.yaml:18:20: profiles.p.renew.from: must be 0% to "
	        "100%, with one decimal at most, not \"110%\"\n"
	        "m.yaml:18:33: profiles.p.renew.grace: must be a "
	        "time with its unit (ms s min h d w y) such as 90d, "
	        "not \"never\"\n"
	        "m.yaml:18:49: profiles.p.renew.new_key: must be "
	        "allowed or required, not \"yes\"\n"
	        "m.yaml:20:57: profiles.q.renew.from: is not shorter "
	        "than the validity: nothing could ever be renewed\n"
	        "m.yaml:20:77: profiles.q.eku_critical: has no eku "
	        "to mark critical\n"
	        "m.yaml:21:29: trust.t.certificates: must be one "
	        "value, not a list\n"
	        "m.yaml:21:44: trust.t.identity: unknown attribute "
	        "\"serialnumber\" (did you mean \"serialNumber\"?)\n"
	        "m.yaml:21:96: trust.u.identity: must be a subject "
	        "attribute such as CN or serialNumber, or an OID, "
	        "not \"5\"\n" },
	{ "code_keys_are_nobody_elses",
	        "keys: { k: { file: k }, c: { file: c } }\n"
	        "authorities: { a: { certificate: a, key: k } }\n"
	        "profiles: { p: { subject: { CN: x } } }\n"
	        "code:\n"
	        "  x: { key: k, authority: a, profile: p }\n"
	        "  y: { key: c, authority: a, profile: p }\n"
	        "  z: { key: c, authority: a, profile: p, device: code:y }\n",
	        "m.yaml:5:13: code.x.key: key \"k\" is of authority \"a\": a "
	        "key that signs code signs nothing else\n"
	        "m.yaml:7:6: code.z: has the device of code.y\n"
	        "m.yaml:7:13: code.z.key: key \"c\" is of code.y: each has "
	        "its own\n" },
	{ "code_profiles_are_nobody_elses",
	        "keys: { k: { file: k }, c: { file: c } }\n"
	        "authorities:\n"
	        "  a: { certificate: a, key: k, profiles: [q, p] }\n"
	        "  b: { certificate: b, key: k, retired: yes }\n"
	        "profiles: { p: { subject: { CN: x } }, q: { subject: { CN: x "
	        "} } }\n"
	        "listen: { est: { authority: a } }\n"
	        "code: { x: { key: c, authority: a, profile: p, access: [{}] "
	        "} }\n",
	        "m.yaml:7:45: code.x.profile: authority \"a\" may issue it to "
	        "anyone: take it out of authorities.a.profiles\n"
	        "m.yaml:7:57: code.x.access[0]: needs a user or a group\n" },
	{ "code_profiles_are_not_for_labels",
	        "keys: { k: { file: k }, c: { file: c } }\n"
	        "authorities: { a: { certificate: a, key: k } }\n"
	        "profiles: { p: { subject: { CN: x } } }\n"
	        "code: { x: { key: c, authority: a, profile: p } }\n"
	        "enroll: { est: [{ authority: a, profile: p }] }\n",
	        "m.yaml:5:42: enroll.est[0].profile: authority \"a\" issues "
	        "profile \"p\" to code keys alone\n" },
	{ "code_is_not_certified_by_the_retired",
	        "keys: { k: { file: k }, c: { file: c } }\n"
	        "authorities:\n"
	        "  a: { certificate: a, key: k }\n"
	        "  b: { certificate: b, key: k, retired: yes }\n"
	        "profiles: { p: { subject: { CN: x } } }\n"
	        "code: { x: { key: c, authority: b, profile: p } }\n",
	        "m.yaml:6:33: code.x.authority: authority \"b\" is retired\n" },
	{ "long_names",
	        MINIMAL "trust: { xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	                "xxxxxxxxxxxxxxxxxxxxx: { certificates: a.pem, blah: "
	                "x } }\n",
	        "m.yaml:4:99: trust.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.blah: unknown key; "
	        "known here: certificates, identity\n" },
};

static struct conf_errors errors;

/* What is said about yaml, called "m.yaml". */
static const char *complaints(struct buf *out, const char *yaml)
{
	struct conf *c = NULL;

	ck_assert_int_eq(conf_load(&c, "m.yaml", bytes_str(yaml), read_anything,
	                         NULL, &errors),
	        RC_CONFIG);
	ck_assert_ptr_null(c);
	conf_errors_print(out, "m.yaml", &errors);
	return buf_cstr(out);
}

START_TEST(every_mistake_is_told_where_and_what_in_order)
{
	struct buf said = BUF_INIT(1u << 20);

	ck_assert_msg(strcmp(complaints(&said, wrong[_i].yaml),
	                      wrong[_i].errors) == 0,
	        "%s: said\n%sinstead of\n%s", wrong[_i].rule, buf_cstr(&said),
	        wrong[_i].errors);
	buf_free(&said);
}
END_TEST

/* One more mistake than fit, and the first lines are those that stay. */
START_TEST(mistakes_are_capped_and_the_first_stay)
{
	struct buf yaml = BUF_INIT(1u << 20);
	struct buf said = BUF_INIT(1u << 20);

	buf_add_str(&yaml, MINIMAL "log:\n");
	for (unsigned i = 0; i < CONF_ERRORS_MAX + 1; i++)
		buf_addf(&yaml, "  x%u: y\n", i);
	ck_assert_ptr_nonnull(strstr(complaints(&said, buf_cstr(&yaml)),
	        "m.yaml:68:3: log.x63: unknown key; known here: "
	        "level, format\n"
	        "m.yaml: there are more errors than these\n"));
	ck_assert_uint_eq(errors.n, CONF_ERRORS_MAX);
	ck_assert_uint_eq(errors.list[0].line, 5);
	buf_free(&yaml);
	buf_free(&said);
}
END_TEST

START_TEST(mistakes_found_late_push_out_those_of_later_lines)
{
	struct buf yaml = BUF_INIT(1u << 20);
	struct buf said = BUF_INIT(1u << 20);

	/* References are looked at after everything else. */
	buf_add_str(&yaml,
	        "authorities: { a: { certificate: a, key: b } }\n"
	        "log:\n");
	for (unsigned i = 0; i < CONF_ERRORS_MAX + 1; i++)
		buf_addf(&yaml, "  x%u: y\n", i);
	(void)complaints(&said, buf_cstr(&yaml));
	ck_assert_uint_eq(errors.n, CONF_ERRORS_MAX);
	ck_assert(errors.more);
	ck_assert_str_eq(errors.list[0].path, "authorities.a.key");
	ck_assert_str_eq(errors.list[CONF_ERRORS_MAX - 1].path, "log.x62");
	buf_free(&yaml);
	buf_free(&said);
}
END_TEST

static void repeat(struct buf *out, const char *text, unsigned times)
{
	while (times-- > 0)
		buf_add_str(out, text);
}

START_TEST(depth_is_capped)
{
	struct buf yaml = BUF_INIT(1u << 20);
	struct buf said = BUF_INIT(1u << 20);

	buf_add_str(&yaml, "a: ");
	repeat(&yaml, "[", 500);
	ck_assert_str_eq(complaints(&said, buf_cstr(&yaml)),
	        "m.yaml:1:15: a[0][0][0][0][0][0][0][0][0][0]: is nested too "
	        "deeply\n");
	buf_free(&yaml);
	buf_free(&said);
}
END_TEST

START_TEST(entries_are_capped)
{
	struct buf yaml = BUF_INIT(1u << 20);
	struct buf said = BUF_INIT(1u << 20);

	buf_add_str(&yaml, "keys:\n");
	for (unsigned i = 0; i <= CONF_ENTRIES_MAX; i++)
		buf_addf(&yaml, "  k%u: { file: k }\n", i);
	ck_assert_str_eq(complaints(&said, buf_cstr(&yaml)),
	        "m.yaml:258:9: keys: has more than 256 entries\n");
	buf_free(&yaml);
	buf_free(&said);
}
END_TEST

START_TEST(values_are_capped)
{
	struct buf yaml = BUF_INIT(1u << 20);
	struct buf said = BUF_INIT(1u << 20);

	buf_add_str(&yaml, "log: { level: ");
	repeat(&yaml, "x", NODE_SCALAR_MAX_BYTES + 1);
	buf_add_str(&yaml, " }\n");
	ck_assert_str_eq(complaints(&said, buf_cstr(&yaml)),
	        "m.yaml:1:15: log: a value is longer than 32 KiB\n");
	buf_free(&yaml);
	buf_free(&said);
}
END_TEST

START_TEST(the_file_is_capped)
{
	struct buf yaml = BUF_INIT(2u << 20);
	struct buf said = BUF_INIT(1u << 20);

	repeat(&yaml, "# sixteen bytes\n", CONF_FILE_MAX_BYTES / 16);
	buf_add_str(&yaml, "\n");
	ck_assert_str_eq(complaints(&said, buf_cstr(&yaml)),
	        "m.yaml: is larger than 1 MiB\n");
	buf_free(&yaml);
	buf_free(&said);
}
END_TEST

static enum rc read_megabyte(
        void *ctx, const char *path, struct buf *out, struct why *why)
{
	(void)ctx, (void)path, (void)why;
	repeat(out, "sixteen bytes..\n", CONF_REFER_MAX_BYTES / 16);
	return out->failed;
}

START_TEST(files_that_are_named_are_capped_together)
{
	struct buf yaml = BUF_INIT(1u << 20);
	struct conf *c;

	buf_add_str(&yaml, MINIMAL "trust:\n");
	for (unsigned i = 0; i < 16; i++)
		buf_addf(&yaml, "  t%u: { certificates: f%u.pem }\n", i, i);
	ck_assert_int_eq(conf_load(&c, "m.yaml", buf_bytes(&yaml),
	                         read_megabyte, NULL, &errors),
	        RC_CONFIG);
	ck_assert_uint_eq(errors.n, 1);
	ck_assert_str_eq(errors.list[0].path, "trust.t15.certificates");
	ck_assert_str_eq(errors.list[0].text,
	        "cannot read the file \"f15.pem\": all files named together "
	        "are over 16 MiB");
	buf_free(&yaml);
}
END_TEST

#define ROWS(a) ((int)(sizeof(a) / sizeof((a)[0])))

TCase *test_conf_errors(void)
{
	TCase *t = tcase_create("errors");

	tcase_add_loop_test(t, every_mistake_is_told_where_and_what_in_order, 0,
	        ROWS(wrong));
	tcase_add_test(t, mistakes_are_capped_and_the_first_stay);
	tcase_add_test(t, mistakes_found_late_push_out_those_of_later_lines);
	tcase_add_test(t, depth_is_capped);
	tcase_add_test(t, entries_are_capped);
	tcase_add_test(t, values_are_capped);
	tcase_add_test(t, the_file_is_capped);
	tcase_add_test(t, files_that_are_named_are_capped_together);
	return t;
}
