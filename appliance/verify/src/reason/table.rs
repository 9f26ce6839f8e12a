// One line a code: variant, identifier, class, what it means, what to do next.
// Identifiers are part of the interface: add codes, never rename or reuse one.
codes! {
    // The bundle as a file and as JSON.
    BundleMissing = "bundle.missing", Refusal, "The model has no OMS bundle.", "Ask the sender for the model's signature bundle (model.sig) and put it beside the model.";
    BundleAmbiguous = "bundle.ambiguous", Configuration, "More than one file could be the model's bundle.", "Name the bundle with --bundle.";
    BundleEmpty = "bundle.empty", Refusal, "The bundle file has no bytes.", "Ask the sender for a complete bundle.";
    BundleTooLarge = "bundle.too-large", Refusal, "The bundle is larger than the budget allows.", "Check the bundle's origin, or raise manifest.max-bundle-bytes in the policy.";
    BundleUnreadable = "bundle.unreadable", Undecided, "The bundle could not be read.", "Check the carrier and try again.";
    MediaStalled = "media.stalled", Undecided, "The carrier gave no answer for longer than the policy waits.", "Check the carrier and its cable and try again, or raise media.stall.";
    BundleJson = "bundle.json", Refusal, "The bundle is not strict JSON.", "Ask the sender for a bundle written by an OMS implementation.";
    BundleDuplicateKey = "bundle.duplicate-key", Refusal, "A JSON object repeats a key.", "Treat the bundle as manipulated and ask the sender for a new one.";
    BundleTooDeep = "bundle.too-deep", Refusal, "The JSON is nested deeper than the budget allows.", "Treat the bundle as hostile and ask the sender for a new one.";
    BundleSchema = "bundle.schema", Refusal, "The bundle does not have the structure of an OMS bundle.", "Ask the sender for a bundle written by an OMS implementation.";
    BundleMediaType = "bundle.media-type", Refusal, "The bundle's mediaType is not one that OMS uses.", "Ask the sender for a Sigstore bundle of version 0.1 to 0.3.";
    BundleSignatureCount = "bundle.signature-count", Refusal, "The envelope does not hold exactly one signature.", "Ask the sender for one bundle for each signature.";
    BundleMaterial = "bundle.material", Refusal, "The verification material is missing, malformed or over the budget.", "Ask the sender for a bundle signed with a key or a certificate.";
    BundlePayloadType = "bundle.payload-type", Refusal, "The envelope's payloadType is not application/vnd.in-toto+json.", "Ask the sender for an OMS bundle; this one signs something else.";

    // The signature and its signer.
    SignatureInvalid = "signature.invalid", Refusal, "The signature does not verify.", "Treat the model as manipulated and get it again from its source.";
    SignatureNoRule = "signature.no-rule", Refusal, "No signer of the policy admits this bundle.", "Ask the security officer whether this signer belongs in the policy.";
    SignatureWrongKey = "signature.wrong-key", Refusal, "The bundle names another public key than the policy.", "Check which key the vendor signs with.";
    SignatureKeyType = "signature.key-type", Refusal, "The signer's key type or size is not one that the policy admits.", "Ask the signer to use ECDSA P-256, P-384 or P-521, or extend the rule's keys.";
    SignatureUntrustedAnchor = "signature.untrusted-anchor", Refusal, "The certificate chain does not lead to an anchor that the policy names.", "Check the chain with the signer; install the root only after checking it out of band.";
    SignatureNoPath = "signature.no-path", Refusal, "The issuer of a certificate is neither in the bundle nor an anchor.", "Ask the signer for a bundle with all intermediates of its path.";
    SignatureCertificateExpired = "signature.certificate-expired", Refusal, "A certificate of the chain has expired.", "Ask the signer to sign again with a valid certificate.";
    SignatureCertificateNotYetValid = "signature.certificate-not-yet-valid", Refusal, "A certificate of the chain is not valid yet.", "Check the station's clock and the certificate's dates.";
    SignatureCertificateInvalid = "signature.certificate-invalid", Refusal, "A certificate is malformed or breaks the certificate profile.", "Ask the signer for a certificate that RFC 5280 and the code-signing profile allow.";
    SignatureCertificatePurpose = "signature.certificate-purpose", Refusal, "The certificate is not issued for code signing.", "Ask the signer for a certificate with codeSigning and digitalSignature.";
    SignatureCertificateKeyUsage = "signature.certificate-key-usage", Refusal, "A certificate's key usage does not allow what it was used for.", "Ask the signer for a certificate with digitalSignature; a CA needs keyCertSign.";
    SignatureLeafIsCa = "signature.leaf-is-ca", Refusal, "The certificate that signed belongs to a CA.", "Ask the signer to sign with a certificate of its own, not with a CA's.";
    SignatureIssuerNotCa = "signature.issuer-not-ca", Refusal, "A certificate was issued by one that is not a CA.", "Treat the chain as hostile; ask the signer for a certificate of a CA.";
    SignaturePathLength = "signature.path-length", Refusal, "The path is longer than a CA of it allows.", "Ask the signer's CA for a certificate that its own constraints allow.";
    SignatureNameConstraints = "signature.name-constraints", Refusal, "A name lies outside the name constraints of a CA.", "Ask the signer's CA for a certificate that its own constraints allow.";
    SignatureCertificatePolicies = "signature.certificate-policies", Refusal, "The path is not valid for the certificate policies that are asked for.", "Check certificate-policies of the rule with the signer's CA.";
    SignatureWeakKey = "signature.weak-key", Refusal, "A key of the path is shorter than allowed.", "Ask the signer's CA for keys of today's lengths.";
    SignatureWeakHash = "signature.weak-hash", Refusal, "A certificate is signed with SHA-1, MD5 or another algorithm that is not accepted.", "Ask the signer's CA for a certificate that is signed with SHA-2.";
    SignatureDuplicateExtension = "signature.duplicate-extension", Refusal, "A certificate has an extension twice.", "Treat the certificate as hostile; ask the signer for a proper one.";
    SignatureCriticalExtension = "signature.critical-extension", Refusal, "A certificate has a critical extension that is not understood.", "Ask the signer's CA for a certificate without it.";
    SignatureCertificateMalformed = "signature.certificate-malformed", Refusal, "A certificate is not DER as RFC 5280 asks for.", "Treat the certificate as hostile; ask the signer for a proper one.";
    SignatureCertificateSignature = "signature.certificate-signature", Refusal, "The signature on a certificate does not verify under its issuer's key.", "Treat the chain as forged; check it with the signer.";
    SignatureCertificateName = "signature.certificate-name", Refusal, "The certificate does not have the name that is expected.", "Check the name with the holder of the certificate.";
    SignatureDisagreement = "signature.disagreement", Refusal, "Two implementations disagree about a signature.", "Treat the signature as hostile and report it to the maintainers.";
    SignaturePathBudget = "signature.path-budget", Refusal, "Building the certification path would take more work than the budget allows.", "Ask the signer for a bundle with only the certificates of its path.";
    SignatureIdentity = "signature.identity", Refusal, "The certificate's identity is not one that the rule admits.", "Check the identity with the signer, or correct the rule.";
    SignatureModelName = "signature.model-name", Refusal, "The signer may not sign a model of this name.", "Ask the security officer whether the rule's models should include it.";
    SignatureTooOld = "signature.too-old", Refusal, "The signature is older than the rule allows.", "Ask the signer to sign the model again.";
    SignatureThreshold = "signature.threshold", Refusal, "Fewer distinct signers than the policy requires have signed these files.", "Ask for the missing signatures; for `verify`, name every bundle with --bundle.";
    SignatureFilesDiffer = "signature.files-differ", Refusal, "Two bundles of the model list different files.", "Ask the signers to sign the same files.";
    SignatureNamesDiffer = "signature.names-differ", Refusal, "Two bundles of the model give it different names.", "Ask the signers to sign the model under one name.";
    RevocationRevoked = "revocation.revoked", Refusal, "A certificate of the chain is revoked.", "Do not use the model; ask the signer what happened.";
    RevocationUnknown = "revocation.unknown", Refusal, "The revocation status of a certificate could not be established.", "Import a current CRL of the issuer.";
    RevocationStale = "revocation.stale", Refusal, "The CRL of an issuer is too old.", "Import a current CRL of the issuer.";
    RevocationCrlMissing = "revocation.crl-missing", Refusal, "There is no CRL for a certificate of the chain.", "Import a current CRL of the issuer.";
    RevocationCrlSignature = "revocation.crl-signature", Refusal, "The signature of a CRL does not verify.", "Import the issuer's CRL again from its source.";
    RevocationRolledBack = "revocation.rolled-back", Refusal, "The CRL is older than one of its issuer that the station has seen.", "Import the newest CRL of the issuer; find out who put back the old one.";
    RevocationUnsupported = "revocation.unsupported", Refusal, "The issuer's CRL is of a form that is not supported.", "Ask the issuer for a complete CRL of its own, neither delta nor indirect.";

    // Time stamps and the clock.
    TimestampMissing = "timestamp.missing", Refusal, "The bundle has no trusted time stamp, and the policy needs one.", "Ask the signer for a bundle with an RFC 3161 time stamp of an authority that the policy names.";
    TimestampMalformed = "timestamp.malformed", Refusal, "A time stamp is not an RFC 3161 token as it must be.", "Ask the signer for a bundle with a proper time stamp.";
    TimestampUntrusted = "timestamp.untrusted", Refusal, "A time stamp does not lead to an authority that the policy names.", "Check which time stamping authority the signer uses; if the policy names its anchor, import the CRLs that its path needs.";
    TimestampOtherData = "timestamp.other-data", Refusal, "A time stamp is about other data than the signature.", "Treat the bundle as manipulated; ask the signer for a new one.";
    TimestampFuture = "timestamp.future", Refusal, "A time stamp is from after the time of validation.", "Check the station's clock.";
    ClockRolledBack = "clock.rolled-back", Undecided, "The clock shows a time before one that the station has seen.", "Set the clock right. If it was ahead before, SECURITY.md tells how officers correct the station's memory.";

    // Sigstore bundles.
    SigstoreMalformed = "sigstore.malformed", Refusal, "The Sigstore bundle is incomplete or malformed.", "Ask the sender for a bundle written by a Sigstore client.";
    SigstoreCertificate = "sigstore.certificate", Refusal, "The certificate does not come from a certificate authority of the trusted root.", "Check which Sigstore instance the signer used.";
    SigstoreCertificateTransparency = "sigstore.certificate-transparency", Refusal, "The certificate has no valid certificate timestamp (SCT) of a log of the trusted root.", "Treat the bundle as hostile; ask the signer for a new one.";
    SigstoreNoInclusionProof = "sigstore.no-inclusion-proof", Refusal, "There is no valid proof that the signature is in a transparency log.", "Ask the signer for a bundle with an inclusion proof.";
    SigstoreLogEntry = "sigstore.log-entry", Refusal, "The log entry is about another signature.", "Treat the bundle as manipulated; ask the signer for a new one.";
    SigstoreLogKey = "sigstore.log-key", Refusal, "The log's key is unknown to the trusted root, or was not valid at the time of the entry.", "Check which Sigstore instance the signer used, and whether the trusted root is current.";
    SigstoreTime = "sigstore.time", Refusal, "No trusted time shows that the certificate was valid when it signed.", "Ask the signer for a bundle with a time stamp or a log entry with its time.";
    SigstoreIdentity = "sigstore.identity", Refusal, "The identity in the Sigstore certificate is not one that the rule admits.", "Check the identity with the signer, or correct the rule.";
    SigstoreIssuer = "sigstore.issuer", Refusal, "The OIDC issuer in the Sigstore certificate is not one that the rule admits.", "Check the issuer with the signer, or correct the rule.";

    // Other attestations about the model.
    AttestationMissing = "attestation.missing", Refusal, "An attestation that the policy requires is not there, or its signer is not admitted.", "Ask the sender for the attestation and put it beside the model.";
    AttestationInvalid = "attestation.invalid", Refusal, "An attestation cannot be read or verified.", "Ask the sender for the attestation again.";
    AttestationSubject = "attestation.subject", Refusal, "An attestation is about something else than the model's root digest.", "Ask the sender for an attestation about this model.";
    AttestationUnasked = "attestation.unasked", Refusal, "No rule of the policy asks for this attestation.", "Nothing: it stays behind; or add an [[attestation]] that asks for it.";
    AttestationTooMany = "attestation.too-many", Refusal, "There are more attestations than are looked at.", "Leave the attestations that the policy asks for on the carrier, and take the others away.";
    AttestationCondition = "attestation.condition", Refusal, "An attestation does not say what the policy requires.", "Check the attestation with the sender, or correct the condition.";

    // The signed statement.
    StatementJson = "statement.json", Refusal, "The signed payload is not strict JSON.", "Ask the signer for a bundle written by an OMS implementation.";
    StatementSchema = "statement.schema", Refusal, "The signed statement does not have the structure that OMS defines.", "Ask the signer for a bundle written by an OMS implementation.";
    StatementType = "statement.type", Refusal, "The statement's `_type` is not the one of in-toto Statement v1.", "Ask the signer for an OMS bundle; this one signs something else.";
    StatementPredicateType = "statement.predicate-type", Refusal, "The statement's `predicateType` is not the one of OMS.", "Ask the signer for an OMS bundle; this one attests something else.";
    StatementSubject = "statement.subject", Refusal, "The statement does not have exactly one subject with a name and a digest.", "Ask the signer to sign the model again.";
    StatementRootDigest = "statement.root-digest", Refusal, "The subject's digest is not the one of the listed resources.", "Ask the signer to sign the model again with a correct tool.";
    StatementLegacy = "statement.legacy", Refusal, "The bundle has the format of version 0.2, which the policy does not allow.", "Ask the signer to sign the model again, or set manifest.legacy.";

    // The manifest against its own rules and the budget.
    ManifestNoResources = "manifest.no-resources", Refusal, "The manifest lists no file.", "Ask the signer to sign the model again.";
    ManifestUnsafeName = "manifest.unsafe-name", Refusal, "A listed name is not a safe relative path.", "Treat the bundle as hostile; ask the signer for a clean one.";
    ManifestDuplicateName = "manifest.duplicate-name", Refusal, "The manifest lists a name twice.", "Treat the bundle as hostile; ask the signer for a clean one.";
    ManifestNameConflict = "manifest.name-conflict", Refusal, "A listed name is also the folder of another.", "Treat the bundle as hostile; ask the signer for a clean one.";
    ManifestHash = "manifest.hash", Refusal, "The manifest uses a hash algorithm that the policy does not admit or that differs between entries.", "Ask the signer to use an admitted hash, or extend manifest.hashes.";
    ManifestShards = "manifest.shards", Refusal, "The shards of a file overlap, leave a hole or do not fit the shard size.", "Ask the signer to sign the model again with a correct tool.";
    ManifestSymlinksAllowed = "manifest.symlinks-allowed", Refusal, "The signer followed symbolic links, which the policy does not admit.", "Ask the signer to sign the model without allow_symlinks.";
    ManifestTooManyFiles = "manifest.too-many-files", Refusal, "The manifest lists more entries than the policy allows.", "Check the model, or raise manifest.max-files.";
    ManifestFileTooLarge = "manifest.file-too-large", Refusal, "A file is larger than the policy allows.", "Check the model, or raise manifest.max-file-bytes.";
    ManifestTotalTooLarge = "manifest.total-too-large", Refusal, "The model is larger than the policy allows.", "Check the model, or raise manifest.max-total-bytes.";

    // The files against the manifest.
    ManifestMissingFile = "manifest.missing-file", Refusal, "A listed file is missing.", "Copy the whole model to the carrier again.";
    ManifestDigestMismatch = "manifest.digest-mismatch", Refusal, "A file's bytes are not the ones that were signed.", "Treat the model as manipulated and get it again from its source.";
    ManifestSizeMismatch = "manifest.size-mismatch", Refusal, "A file's size is not the one that its shards cover.", "Copy the file to the carrier again.";
    ManifestUnsignedFile = "manifest.unsigned-file", Refusal, "A file is in the model that nobody signed.", "Remove the file, have it signed, or set manifest.unsigned-files.";
    ManifestIgnoredPath = "manifest.ignored-path", Refusal, "A path is in the model that its signer chose to ignore.", "Remove the path, or set manifest.ignored-paths.";

    // The carrier.
    MediaSymlink = "media.symlink", Refusal, "A path is or leads through a symbolic link.", "Replace the link by the file itself and have the model signed again.";
    MediaNotRegular = "media.not-regular", Refusal, "A path is not a regular file.", "Remove the FIFO, socket or device from the model.";
    MediaMountCrossing = "media.mount-crossing", Refusal, "A path lies on another file system than the model.", "Put the whole model on one file system.";
    MediaName = "media.name", Refusal, "A name on the carrier is not UTF-8, too long or nested too deep.", "Rename the file and have the model signed again.";
    MediaChanged = "media.changed", Refusal, "A file changed while it was read.", "Make sure nothing writes to the carrier and try again.";
    MediaTooManyEntries = "media.too-many-entries", Refusal, "The carrier holds more entries than the budget allows.", "Put fewer files on the carrier, or raise manifest.max-files.";
    MediaUnreadable = "media.unreadable", Undecided, "The carrier could not be read.", "Check the carrier and try again.";
    MediaNotFound = "media.not-found", Configuration, "There is no model or carrier at this path.", "Check the path.";
    CarrierEntry = "carrier.entry", Undecided, "An entry of a hot folder cannot be taken as a carrier.", "Put models into the hot folder as folders or tar files, written elsewhere or under a name with a dot, and renamed when complete.";
    CarrierFolder = "carrier.folder", Undecided, "A hot folder cannot be read.", "Put the folder back where the configuration names it, and start the station again.";
    CarrierDevice = "carrier.device", Undecided, "A device cannot be used as a carrier.", "Pull it; treat it as hostile if it claims what cannot be, else try another one.";
    CarrierFileSystem = "carrier.file-system", Undecided, "The file system of a device is not one that the station mounts.", "Copy the models to a file system of carriers.file-systems, or have the officer add this one.";
    CarrierArchive = "carrier.archive", Undecided, "An archive cannot be unpacked safely.", "Make a tar file of plain files and folders, with paths inside it, and within the station's bounds.";
    CarrierMount = "carrier.mount", Undecided, "The file system of a device could not be mounted.", "Check the device on another machine: its file system is damaged, hostile or in use.";

    IntakeCancelled = "intake.cancelled", Undecided, "Reading was cancelled before a decision.", "Start again when you want a decision.";
    IntakeResources = "intake.resources", Undecided, "The machine did not give what reading needs: memory, threads, open files or signals.", "Raise the limits of the process (ulimit -a) or end other work; --memory and --reader threads need less.";
    IntakeSha256 = "intake.sha256", Undecided, "SHA-256 gives wrong answers on this machine.", "Have its processor and memory tested, and install the program again.";

    // What is inside the files.
    ContentFormat = "content.format", Refusal, "A file has a format that the policy does not allow.", "Ask for the model in an allowed format, or extend content.allow.";
    ContentUnknown = "content.unknown", Refusal, "A file has no format that is known.", "Leave the file out of the signed model.";
    ContentAmbiguous = "content.ambiguous", Refusal, "A file can be read as two formats at once.", "Treat the file as hostile and get the model again from its source.";
    ContentMalformed = "content.malformed", Refusal, "A file breaks the structure of its format.", "Ask for a well-formed file.";
    ContentRemoteCode = "content.remote-code", Refusal, "The model brings code, or a configuration makes the loader run some.", "Ask for a model that needs no remote code, or set content.remote-code.";
    ContentExtension = "content.extension", Refusal, "The name of a file promises another format than it has.", "Ask the signer what the file is; give it the ending of its format, or set content.names.";
    ContentPickleGlobal = "content.pickle-global", Refusal, "A pickle imports a name that the policy does not allow.", "Ask for the weights as safetensors, or add the name to content.pickle.globals if it can do no harm.";
    ContentPickleCall = "content.pickle-call", Refusal, "A pickle calls something that is not an imported name.", "Treat the file as hostile; ask for the weights as safetensors.";
    ContentExternalData = "content.external-data", Refusal, "A model takes weights from outside of what was signed.", "Ask the signer to sign the model with all of its data, in its own folder.";
    ContentIndex = "content.index", Refusal, "An index and the files that it lists do not agree.", "Ask for the whole model with the index that belongs to it.";
    ContentOperatorDomain = "content.operator-domain", Refusal, "A model uses operators of a domain that the policy does not allow.", "Ask for a model of standard operators, or add the domain to content.onnx.domains.";
    ContentOperator = "content.operator", Refusal, "A model uses an operator that the policy does not allow.", "Ask for a model without it, or add it to the format's operators in the policy if it can do no harm.";
    ContentClass = "content.class", Refusal, "A model is built from a class or function that the policy does not allow.", "Ask for a model of Keras' own layers, without Lambda.";
    ContentLink = "content.link", Refusal, "A file leads to another file.", "Ask for a file that holds all of its data.";
    ContentTemplate = "content.template", Refusal, "A template does more than lay out text.", "Read the template with `inspect`; if it does no harm, add its SHA-256 to content.templates.digests.";
    ContentRegex = "content.regex", Refusal, "A regular expression can take time without bound.", "Ask for a tokenizer without it.";
    ContentMember = "content.member", Refusal, "An archive holds something that does not belong in its format.", "Treat the file as hostile and get the model again from its source.";
    ContentMacro = "content.macro", Refusal, "A document carries macros.", "Leave the document out of the signed model.";
    ContentAutorun = "content.autorun", Refusal, "A file has a name that an operating system acts on by itself.", "Leave the file out of the signed model.";
    ContentMalware = "content.malware", Refusal, "The virus scanner found something.", "Treat the carrier as hostile and tell whoever looks after malware on the site.";
    ContentNotScanned = "content.not-scanned", Refusal, "The virus scanner did not read the whole file.", "Check that the scanner runs and what its limits are, or name the format in content.scanner.skip.";
    ScannerUnavailable = "scanner.unavailable", Undecided, "The virus scanner cannot be asked.", "Check that clamd runs, that the socket in [scanner] is its own and open to the station, and that max-file-bytes is no more than it takes; then try again.";

    // Policy, anchors and configuration.
    PolicySyntax = "policy.syntax", Configuration, "The policy is not well-formed.", "Correct the policy at the line and column that are named.";
    PolicyUnknownAnchor = "policy.unknown-anchor", Configuration, "The policy names an anchor that is not installed.", "Install the anchor in the roots folder, or correct its name.";
    PolicyDuplicateAnchor = "policy.duplicate-anchor", Configuration, "Two installed anchors have one name.", "Give each anchor of the roots folder its own name.";
    PolicyAnchorPurpose = "policy.anchor-purpose", Configuration, "The policy names an anchor that is not installed for what it is used for.", "Name another anchor, or let a security officer add the purpose in roots.toml.";
    PolicyTrustedRoot = "policy.trusted-root", Configuration, "The policy names a Sigstore trusted root that is not installed.", "Install the trusted root in the roots folder with purpose sigstore, or correct its name.";
    PolicyContradiction = "policy.contradiction", Configuration, "Two rules of the policy contradict each other, or a rule can never be met.", "Correct the policy at the line and column that are named.";
    PolicyNoSigner = "policy.no-signer", Configuration, "The policy has no signer, so that nothing could ever pass.", "Add a [[signer]].";
    PolicyKey = "policy.key", Configuration, "A public key that the policy names cannot be used.", "Give a PEM file with one public key of a supported type.";
    PolicyUnreadable = "policy.unreadable", Configuration, "The policy cannot be read.", "Check the path; a bare name means /etc/oms-appliance/policies/.";
    TrustLocation = "trust.location", Configuration, "A policy, root, CRL, configuration, spool or record lies where others can change it.", "Move it out of the model and the carrier, and take away write access from others.";
    TrustAnchor = "trust.anchor", Configuration, "A trust anchor cannot be used.", "Correct roots.toml or the anchor's file.";
    TrustCrl = "trust.crl", Configuration, "The folder of CRLs, or one of its files, cannot be used.", "Keep in the folder the current CRL of each issuer, in PEM or DER, and no other file.";
    ConfigSyntax = "config.syntax", Configuration, "The configuration is not well-formed.", "Correct the file at the line and column that are named.";
    ConfigSpool = "config.spool", Configuration, "Spool, outbound and state must lie apart, and the spool on outbound's file system.", "Move the spool to a folder beside outbound, and state elsewhere.";
    ConfigPath = "config.path", Configuration, "A path of the configuration cannot be used.", "Correct the path, or create what it names and give the station access to it.";
    ConfigCertificate = "config.certificate", Configuration, "A certificate of the configuration does not fit its key or its purpose.", "Give the chain of the key that is named, leaf first; --help and the README say what it must carry.";
    ConfigUsage = "config.usage", Configuration, "The command line is not valid.", "See --help.";
    ConfigStationKey = "config.station-key", Configuration, "A verdict in place must not be signed with the station's keys.", "Use another key.";

    // Keys and the HSM.
    KeyUri = "key.uri", Configuration, "The PKCS#11 URI is not valid or not allowed.", "Write it as RFC 7512 says; the PIN comes by pin-source.";
    KeyFile = "key.file", Configuration, "The private key file cannot be used.", "Give a PKCS#8 or SEC 1 PEM file with one key of a supported type.";
    KeyPin = "key.pin", Configuration, "The PIN cannot be read from its source.", "Check pin-source.";
    HsmModule = "hsm.module", Undecided, "The PKCS#11 module cannot be loaded.", "Check module-path, the module's configuration, and that [hsm.sandbox] in station.toml lists its files.";
    HsmToken = "hsm.token", Undecided, "The token is absent.", "Check that the HSM is connected, the token's label or serial, and that [hsm.sandbox] in station.toml lists its files.";
    HsmLocked = "hsm.locked", Undecided, "The PIN is wrong or locked.", "Do not try again; check the PIN and ask the HSM's officer to unlock it.";
    HsmKey = "hsm.key", Undecided, "The token does not hold exactly one such signing key.", "Check the object's label and id.";
    HsmOperation = "hsm.operation", Undecided, "The HSM answered with an error.", "Run oms-appliance hsm check.";

    // Outbound and the station's own disk.
    OutboundWrite = "outbound.write", Undecided, "Writing to the spool, outbound or state failed.", "Check free space, permissions and the disk.";
    OutboundStalled = "outbound.stalled", Undecided, "The disk of the spool gave no answer for longer than media.stall.", "Check the station's disk, not the carrier, and try again.";
    OutboundQuota = "outbound.quota", Undecided, "Outbound holds as much as its quota allows, or would with this model.", "Let the diode's sender take entries and delete them, then try again; or raise [outbound] quota.";
    OutboundConflict = "outbound.conflict", Undecided, "An entry of this name is in outbound already.", "Check whether state was restored from a backup; sequence numbers are never used twice.";
    ProcessFailed = "process.failed", Undecided, "A process of the station failed.", "Try again; if it happens again with this carrier, keep the carrier and report it.";
    ProcessProtocol = "process.protocol", Undecided, "A process of the station said what it never says.", "Treat the carrier as an attack: keep it, restart the station, and report it.";
    ProcessCopies = "process.copies-differ", Undecided, "The copies are not what was reported of them.", "Treat the carrier as an attack, or check the station's disk and memory.";
    StateLocked = "state.locked", Undecided, "Another process uses the station's state.", "Wait for the other run to end, or stop the daemon.";
    StateDamaged = "state.damaged", Undecided, "The station's state is damaged.", "Restore state from its last good copy, or go on as SECURITY.md tells, before ingesting anything.";

    StationProcess = "station.process", Undecided, "A process of the station could not begin as it must.", "Run oms-appliance doctor: the kernel must offer Landlock (Linux 6.2), seccomp and network namespaces.";
    StationUnfit = "station.unfit", Undecided, "A check of the self-test failed.", "Do what oms-appliance doctor --config FILE says about this check; the daemon tries again by itself.";
    StatusUnreachable = "status.unreachable", Undecided, "No daemon answers at the status socket.", "Start oms-appliance run --config FILE, or name its socket with --socket.";
    StateUnfinished = "state.unfinished", Configuration, "A decision that was begun belongs to another configuration.", "Start once with the former configuration, which ends it; then change the configuration.";

    // Sending a model again.
    ResendUnknown = "resend.unknown", Configuration, "There is no verdict of this number whose model could be sent again.", "Check the number: ledger export lists them.";
    ResendRefused = "resend.refused", Refusal, "The verdict is a refusal.", "Nothing of a refused model is ever sent.";
    ResendGone = "resend.not-kept", Configuration, "The model is not kept, or no longer.", "Ingest the model again from its carrier; [outbound] keep says how long models are kept.";
    ResendPolicy = "resend.policy", Refusal, "Another policy decided about the model than the one of today.", "Ingest the model again from its carrier: today's policy then decides.";
    ResendChanged = "resend.changed", Refusal, "The kept model is not the one that was decided about.", "Check the station's disk and who may write to the spool; ingest the model again from its carrier.";

    // A verdict, as the receiving side checks it.
    VerdictMissing = "verdict.missing", Refusal, "There is no verdict.", "Ask the sending side to send the entry again.";
    VerdictSchema = "verdict.schema", Refusal, "The verdict does not have the structure of a verdict.", "Ask the sending side to send the entry again.";
    VerdictUntrusted = "verdict.untrusted", Refusal, "The verdict is not signed by a verdict key that is trusted.", "Check the roots; another certificate of the same PKI cannot make a verdict.";
    VerdictVerifier = "verdict.verifier", Refusal, "The verdict comes from another verifier than expected.", "Check --verifier.";
    VerdictMode = "verdict.mode", Refusal, "The verdict was made in place and does not speak for an ingest.", "Use an entry that a station published.";
    VerdictFailed = "verdict.failed", Refusal, "The verdict says that the model was refused.", "Do not use the model.";
    VerdictFiles = "verdict.files", Refusal, "The files are not exactly the ones of the verdict.", "Ask the sending side to send the entry again.";
    LedgerGap = "ledger.gap", Refusal, "Verdicts are missing.", "Ask the sending side for the missing numbers: they were lost, or somebody holds them back.";
    LedgerChain = "ledger.chain", Refusal, "A verdict does not follow the one before it.", "Treat what came over the diode as manipulated, and compare it with the station's archive.";
    LedgerDuplicate = "ledger.duplicate", Refusal, "A verdict is there twice, or under the number of another.", "Treat the second as a replay: find out who sent it, and take it away.";
    VerdictResigned = "verdict.resigned", Refusal, "The re-signed bundle is not the one of the verdict.", "Ask the sending side to send the entry again.";
}
