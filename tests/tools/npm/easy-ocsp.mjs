// easy-ocsp.mjs CERTIFICATE: what easy-ocsp makes of it, with a nonce and
// without, a line each.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { getCertStatus } from 'easy-ocsp';

const cert = new X509Certificate(readFileSync(process.argv[2]));
for (const enableNonce of [true, false]) {
	const r = await getCertStatus(cert, { enableNonce });
	console.log(r.status, r.revocationReason ?? '-');
}
