/* A device that speaks EST with BouncyCastle's client (libbcpkix-java).
 * usage: java EstClient NAME=VALUE... OPERATION...
 * Operations run in order with one client: cacerts csrattrs enroll reenroll.
 * Names: server (host:port), label, root, user, token, cert, key (PEM files),
 * csr (DER), out (the certificate, PEM), tls (a protocol of JSSE). */

import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Security;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.net.ssl.KeyManagerFactory;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.est.ESTAuth;
import org.bouncycastle.est.ESTService;
import org.bouncycastle.est.EnrollmentResponse;
import org.bouncycastle.est.jcajce.JcaHttpAuthBuilder;
import org.bouncycastle.est.jcajce.JcaJceUtils;
import org.bouncycastle.est.jcajce.JsseESTServiceBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.jcajce.JcaPEMWriter;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;

public class EstClient {
	private static final Map<String, String> given = new HashMap<>();

	private static X509Certificate certificate(String name) throws Exception {
		try (var in = Files.newInputStream(Path.of(given.get(name)))) {
			return (X509Certificate) CertificateFactory.getInstance("X.509")
				.generateCertificate(in);
		}
	}

	private static KeyManagerFactory identity() throws Exception {
		X509Certificate cert = certificate("cert");
		String pem = Files.readString(Path.of(given.get("key")))
			.replaceAll("-----[^-]*-----", "");
		PrivateKey key = KeyFactory
			.getInstance(cert.getPublicKey().getAlgorithm())
			.generatePrivate(new PKCS8EncodedKeySpec(
				Base64.getMimeDecoder().decode(pem)));
		KeyStore store = KeyStore.getInstance("PKCS12");
		KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");

		store.load(null, null);
		store.setKeyEntry("device", key, new char[0],
			new Certificate[] { cert });
		keys.init(store, new char[0]);
		return keys;
	}

	private static ESTService service() throws Exception {
		var builder = new JsseESTServiceBuilder(given.get("server"),
			JcaJceUtils.getCertPathTrustManager(
				Set.of(new TrustAnchor(certificate("root"), null)),
				null));

		builder.withTimeout(20000);
		if (given.containsKey("label"))
			builder.withLabel(given.get("label"));
		if (given.containsKey("tls"))
			builder.withTLSVersion(given.get("tls"));
		if (given.containsKey("cert"))
			builder.withKeyManagers(identity().getKeyManagers());
		return builder.build();
	}

	private static void enroll(ESTService est, boolean again) throws Exception {
		ESTAuth auth = given.containsKey("user")
			? new JcaHttpAuthBuilder(given.get("user"),
				given.get("token").toCharArray())
				.setProvider("BC").build()
			: null;
		var csr = new PKCS10CertificationRequest(
			Files.readAllBytes(Path.of(given.get("csr"))));
		EnrollmentResponse answer = est.simpleEnroll(again, csr, auth);
		var text = new StringWriter();

		try (var pem = new JcaPEMWriter(text)) {
			for (X509CertificateHolder c :
					ESTService.storeToArray(answer.getStore()))
				pem.writeObject(c);
		}
		Files.writeString(Path.of(given.get("out")), text.toString());
		System.out.println((again ? "reenroll " : "enroll ")
			+ answer.getStore().getMatches(null).size());
	}

	public static void main(String[] args) throws Exception {
		List<String> operations = new ArrayList<>();

		for (String a : args) {
			int at = a.indexOf('=');

			if (at > 0)
				given.put(a.substring(0, at), a.substring(at + 1));
			else
				operations.add(a);
		}
		Security.addProvider(new BouncyCastleProvider());
		ESTService est = service();
		for (String operation : operations) {
			switch (operation) {
			case "cacerts" -> System.out.println("cacerts "
				+ est.getCACerts().getCertificateStore()
					.getMatches(null).size());
			case "csrattrs" -> System.out.println("csrattrs "
				+ est.getCSRAttributes().hasAttributesResponse());
			case "enroll" -> enroll(est, false);
			case "reenroll" -> enroll(est, true);
			default -> throw new IllegalArgumentException(operation);
			}
		}
	}
}
