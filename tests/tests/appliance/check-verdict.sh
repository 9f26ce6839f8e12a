(   # Stops at the first check that fails: nothing is shown unless every one has passed.
set -eu

# The parts of the bundle: the signed payload, the signature, and the station's certificate.
part() { sed -n "s/.*\"$2\": *\"\([^\"]*\)\".*/\1/p" "$1"; }
part "$VERDICT" payload | openssl base64 -d -A > payload.json
part "$VERDICT" sig | openssl base64 -d -A > signature.der
part "$VERDICT" rawBytes | openssl base64 -d -A | openssl x509 -inform DER -out leaf.pem

# The certificates between it and the root, which the payload carries.
cp leaf.pem intermediates.pem                    # never empty, which openssl would not take
sed -n 's/.*"intermediates":\[\([^]]*\)\].*/\1/p' payload.json | tr ',' '\n' | tr -d '"' |
while read -r certificate || [ -n "$certificate" ]; do
    printf '%s' "$certificate" | openssl base64 -d -A | openssl x509 -inform DER >> intermediates.pem
done

# The certificate leads to the root, and it is the one of the station that is expected.
openssl verify -CAfile "$ROOT" -untrusted intermediates.pem leaf.pem
openssl x509 -in leaf.pem -noout -ext subjectAltName | tr -d ' ' | tr ',' '\n' |
    grep -Fqx "URI:$STATION"

# What was signed is not the payload alone but its DSSE encoding (PAE).
type=application/vnd.in-toto+json
{ printf 'DSSEv1 %d %s %d ' ${#type} "$type" "$(wc -c < payload.json)"; cat payload.json; } > signed
openssl x509 -in leaf.pem -noout -pubkey > key.pem
case $(openssl x509 -in leaf.pem -noout -text) in
    *P-384*) hash=sha384 ;;
    *P-521*) hash=sha512 ;;
    *) hash=sha256 ;;
esac
openssl dgst "-$hash" -verify key.pem -signature signature.der signed

sed -n 's/.*"verificationResult":"\([A-Z]*\)".*/\1/p' payload.json
)
