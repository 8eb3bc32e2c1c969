/* Verifies a detached CMS signature as BouncyCastle does, Ed25519 included:
 * java CmsVerify FILE FILE.p7s. The chain is for others to judge. */
import java.io.FileInputStream;
import java.io.InputStream;
import java.security.Security;
import java.util.Collection;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.CMSSignedDataParser;
import org.bouncycastle.cms.CMSTypedStream;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;

public class CmsVerify {
    public static void main(String[] args) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        try (InputStream file = new FileInputStream(args[0]);
                InputStream p7s = new FileInputStream(args[1])) {
            CMSSignedDataParser cms = new CMSSignedDataParser(
                    new JcaDigestCalculatorProviderBuilder()
                            .setProvider("BC").build(),
                    new CMSTypedStream(file), p7s);
            cms.getSignedContent().drain();
            for (SignerInformation s : cms.getSignerInfos()) {
                Collection<?> found = cms.getCertificates().getMatches(s.getSID());
                X509CertificateHolder cert =
                        (X509CertificateHolder) found.iterator().next();
                boolean good = s.verify(new JcaSimpleSignerInfoVerifierBuilder()
                        .setProvider("BC").build(cert));
                System.out.println((good ? "good " : "bad ")
                        + s.getDigestAlgOID() + " " + cert.getSubject());
                if (!good)
                    System.exit(1);
            }
        } catch (Exception e) {
            System.out.println("bad " + e.getMessage());
            System.exit(1);
        }
    }
}
