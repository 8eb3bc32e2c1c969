// ocsp.js CERTIFICATE ISSUER: what ocsp makes of it, in one line.
const { readFileSync } = require('node:fs');
const ocsp = require('ocsp');

const [cert, issuer] = process.argv.slice(2).map((f) => readFileSync(f));
ocsp.check({ cert, issuer }, (err, res) => {
	console.log(err ? err.message : res.type);
	process.exit(0);
});
