/* cmd/mica_template.c - the configuration that mica init writes. */
#include "cmd/mica_init.h"

static const char head[] =
        "# Made by `mica init`. mica.yaml(5) explains every option, and\n"
        "# `micad --check-config FILE` says what is wrong with a change;\n"
        "# SIGHUP puts it in force. Paths are below this file's folder.\n"
        "\n"
        "store:\n"
        "  lmdb: { path: store, size: 64GiB }\n"
        "\n"
        "process:\n"
        "  # Started as root: keeper and workers run as user, the signer as\n"
        "  # signer_user, which alone can read keys.\n"
        "  user: mica\n"
        "  signer_user: mica-signer\n"
        "  keys: keys\n"
        "\n"
        "admin:\n"
        "  # For mica(1). Root and the daemon's own user are admin.\n"
        "  socket: admin.sock\n"
        "  access: []\n"
        "    # - { user: alice, role: operator }   # auditor, operator, "
        "admin\n"
        "\n"
        "listen:\n";

static const char middle[] =
        "\n"
        "authorities:\n"
        "  factory: { certificate: ca/issuing.pem, chain: ca/root.pem, key: "
        "issuing }\n"
        "\n";

/* The shipped profiles; O is who runs the CA. */
static const char profiles[] =
        "profiles:\n"
        "  # A device that speaks TLS as a client.\n"
        "  sensor:\n"
        "    keys: [p256, p384, ed25519, rsa2048, rsa3072, rsa4096]\n"
        "    validity: 2y\n"
        "    subject: { CN: \"%%{device}\", O: \"%1$s\" }\n"
        "    san: { uri: \"urn:dev:%%{device}\" }\n"
        "    eku: [client_auth]\n"
        "    renew: { from: 66%%, grace: 90d, new_key: required }\n"
        "  # A TLS server: mica cert issue --profile tls-server --dns NAME\n"
        "  tls-server:\n"
        "    keys: [p256, p384, rsa2048, rsa3072, rsa4096]\n"
        "    validity: 90d\n"
        "    subject: { CN: \"%%{device}\" }\n"
        "    san: { dns: \"%%{dns}\", ip: \"%%{ip}\" }\n"
        "    eku: [server_auth]\n"
        "  # IEEE 802.1AR: the identity a device is made with, and its "
        "owner's.\n"
        "  idevid:\n"
        "    keys: [p256, p384]\n"
        "    validity: never\n"
        "    subject: { O: \"%1$s\", serialNumber: \"%%{device}\" }\n"
        "    max_active: 1\n"
        "  ldevid:\n"
        "    keys: [p256, p384]\n"
        "    validity: 1y\n"
        "    subject: { O: \"%1$s\", serialNumber: \"%%{device}\" }\n"
        "    eku: [client_auth]\n"
        "    renew: { from: 66%%, grace: 30d, new_key: required }\n"
        "  # Matter device attestation: put your vendor and product id.\n"
        "  matter-dac:\n"
        "    keys: [p256]\n"
        "    validity: never\n"
        "    subject:\n"
        "      CN: \"%1$s DAC %%{device}\"\n"
        "      1.3.6.1.4.1.37244.2.1: FFF1\n"
        "      1.3.6.1.4.1.37244.2.2: \"8000\"\n"
        "    basic_constraints: yes\n"
        "  # Firmware and software signatures.\n"
        "  code-signing:\n"
        "    keys: [p256, p384, ed25519, rsa3072, rsa4096]\n"
        "    validity: 1y\n"
        "    subject: { CN: \"%%{device}\", O: \"%1$s\" }\n"
        "    eku: [code_signing]\n"
        "    eku_critical: yes\n"
        "\n"
        "# Firmware that `mica sign` signs, by a key of its own:\n"
        "# code:\n"
        "#   firmware: { key: firmware, authority: factory,\n"
        "#               profile: code-signing }\n"
        "\n"
        "enroll:\n"
        "  est:\n"
        "    # /.well-known/est/line1/, and the path without a label\n"
        "    - { label: line1, authority: factory, profile: sensor, allow: "
        "[token, renewal] }\n"
        "    - { label: \"\", authority: factory, profile: sensor, allow: "
        "[token, renewal] }\n";

static void put_keys(struct buf *out, const struct init *in)
{
	buf_add_str(out, "\nkeys:\n");
	if (in->token.module == NULL)
		buf_add_str(out, "  issuing: { file: issuing.key }\n");
	else
		buf_addf(out,
		        "  issuing:\n"
		        "    uri: \"%s\"\n"
		        "    module: \"%s\"\n"
		        "    pin: hsm.pin\n",
		        in->token.issuing, in->token.module);
}

void init_template(struct buf *out, const struct init *in)
{
	buf_add_str(out, head);
	buf_addf(out, "  est: { address: \"%s\", authority: factory, names: [",
	        in->est);
	for (size_t i = 0; i < in->n_est_names; i++)
		buf_addf(out, "%s\"%s\"", i > 0 ? ", " : "", in->est_names[i]);
	buf_addf(out,
	        "] }\n"
	        "  http: { address: \"%s\" }\n"
	        "  metrics: { address: \"%s\" }\n",
	        in->http, in->metrics);
	put_keys(out, in);
	buf_add_str(out, middle);
	buf_addf(out, profiles, in->name);
}
