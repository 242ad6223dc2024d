// SPDX-License-Identifier: Apache-2.0
// Service account tokens: issuing (TokenRequest) and checking them, with the objects they are bound to looked up live.
// @source upstream pkg/serviceaccount/{claims,jwt}.go, KEP-1205
import { createPrivateKey, createPublicKey, type KeyObject, randomUUID } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, exportJWK, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { nodes, pods, secrets, serviceaccounts as serviceAccounts } from '#api/resources';
import { signingAlgorithm, signingKeyId } from '#component';
import type { DeepReadonly, KubeObject } from '#machinery';
import type { ObjectReader } from '../registry/strategy.ts';
import { INVALID_TOKEN } from './token-authenticator.ts';
import { AUTHENTICATED_GROUP, CREDENTIAL_ID, SERVICE_ACCOUNTS_GROUP, serviceAccountUser, type UserInfo } from './user.ts';

export interface TokenKeys {
  /** PEM; signs. */
  readonly signingKey: string;
  /** PEMs, public or private; check. */
  readonly verificationKeys: readonly string[];
  readonly issuer: string;
  /** Whose tokens are accepted as well. */
  readonly otherIssuers?: readonly string[] | undefined;
  /** What tokens are for unless asked otherwise. @default the issuer */
  readonly audiences: readonly string[];
  /** The longest life of a token. @default no limit */
  readonly maxExpirationSeconds?: number | undefined;
  /** Tokens of Pods live a year. @default true */
  readonly extendsExpiration?: boolean | undefined;
  /** Where the public keys are. @default at this server */
  readonly jwksUri?: string | undefined;
}

interface Reference {
  readonly name: string;
  readonly uid?: string;
}

interface KubernetesClaims {
  readonly namespace: string;
  readonly serviceaccount: Reference;
  readonly pod?: Reference;
  readonly node?: Reference;
  readonly secret?: Reference;
  readonly warnafter?: number;
}

export interface TokenSubject {
  readonly namespace: string;
  readonly account: DeepReadonly<KubeObject>;
  readonly pod?: DeepReadonly<KubeObject> | undefined;
  readonly node?: DeepReadonly<KubeObject> | undefined;
  readonly secret?: DeepReadonly<KubeObject> | undefined;
}

export interface IssueOptions {
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  /** Seconds; later than this a warning is logged, while the token itself lives a year. */
  readonly warnAfterSeconds?: number | undefined;
}

/** Whose token it is, for which of the audiences; or why it is nobody's. */
export type Identification = { readonly user: UserInfo; readonly audiences: readonly string[] } | { readonly error: string };

const POD_NAME = 'authentication.kubernetes.io/pod-name';
const POD_UID = 'authentication.kubernetes.io/pod-uid';
const NODE_NAME = 'authentication.kubernetes.io/node-name';
const NODE_UID = 'authentication.kubernetes.io/node-uid';

interface PublicKey {
  readonly id: string;
  readonly key: KeyObject;
}

export class ServiceAccountTokens {
  readonly #issuer: string;
  readonly #issuers: ReadonlySet<unknown>;
  readonly #limits: Pick<TokenKeys, 'maxExpirationSeconds' | 'extendsExpiration'>;
  readonly #audiences: readonly string[];
  readonly #signer: { readonly id: string; readonly key: KeyObject; readonly algorithm: string };
  readonly #keys: readonly PublicKey[];
  readonly #reader: ObjectReader;
  readonly #now: () => number;
  /** Signatures once checked need no second check; claims and bound objects always do. */
  readonly #verified = new Map<string, JWTPayload>();

  constructor(keys: TokenKeys, reader: ObjectReader, now: () => number) {
    this.#issuer = keys.issuer;
    this.#issuers = new Set([keys.issuer, ...(keys.otherIssuers ?? [])]);
    this.#limits = keys;
    this.#audiences = keys.audiences.length > 0 ? keys.audiences : [keys.issuer];
    const signing = createPrivateKey(keys.signingKey);
    this.#signer = { id: signingKeyId(createPublicKey(signing)), key: signing, algorithm: signingAlgorithm(signing) };
    this.#keys = keys.verificationKeys.map((pem) => createPublicKey(pem)).map((key) => ({ id: signingKeyId(key), key }));
    this.#reader = reader;
    this.#now = now;
  }

  get issuer(): string {
    return this.#issuer;
  }

  get maxExpirationSeconds(): number | undefined {
    return this.#limits.maxExpirationSeconds;
  }

  get extendsExpiration(): boolean {
    return this.#limits.extendsExpiration !== false;
  }

  get audiences(): readonly string[] {
    return this.#audiences;
  }

  async issue(
    { namespace, account, pod, node, secret }: TokenSubject,
    options: IssueOptions,
  ): Promise<{ token: string; expiresAt: number }> {
    const issuedAt = Math.floor(this.#now() / 1000);
    const expiresAt = issuedAt + options.expirationSeconds;
    const claims: KubernetesClaims = {
      namespace,
      ...(node === undefined ? {} : { node: referenceTo(node) }),
      ...(pod === undefined ? {} : { pod: referenceTo(pod) }),
      ...(secret === undefined ? {} : { secret: referenceTo(secret) }),
      serviceaccount: referenceTo(account),
      ...(options.warnAfterSeconds === undefined ? {} : { warnafter: issuedAt + options.warnAfterSeconds }),
    };
    const token = await new SignJWT({ 'kubernetes.io': claims })
      .setProtectedHeader({ alg: this.#signer.algorithm, kid: this.#signer.id })
      .setAudience(options.audiences.length > 0 ? [...options.audiences] : [...this.#audiences])
      .setIssuer(this.#issuer)
      .setSubject(serviceAccountUser(namespace, account.metadata.name))
      .setIssuedAt(issuedAt)
      .setNotBefore(issuedAt)
      .setExpirationTime(expiresAt)
      .setJti(randomUUID())
      .sign(this.#signer.key);
    return { token, expiresAt: expiresAt * 1000 };
  }

  /** Whether a bearer token says it is of our issuer, before any signature is checked. */
  isOwn(token: string): boolean {
    if (this.#verified.has(token)) return true;
    try {
      return this.#issuers.has(decodeJwt(token).iss);
    } catch {
      return false;
    }
  }

  /** @returns The user; or, in upstream's words, why it is no good: not ours, expired, or what it is bound to is gone. */
  async identify(token: string, audiences: readonly string[] = this.#audiences): Promise<Identification> {
    const unknown = { error: INVALID_TOKEN };
    const payload = await this.verify(token);
    if (payload === undefined || !this.#issuers.has(payload.iss)) return unknown;
    const seconds = this.#now() / 1000;
    if ((payload.exp ?? 0) < seconds || (payload.nbf ?? 0) > seconds + 60) return { error: 'service account token has expired' };
    const of = [payload.aud ?? []].flat();
    const shared = sharedAudiences(of, audiences);
    if ('error' in shared) return shared;
    const user = this.#userOf(payload);
    return user === undefined ? { error: 'service account token has been invalidated' } : { user, audiences: shared.audiences };
  }

  /** The claims of a token that one of the keys has signed and that has not expired, whoever issued it. */
  async verify(token: string): Promise<JWTPayload | undefined> {
    const known = this.#verified.get(token);
    if (known !== undefined) return known;
    try {
      const { kid } = decodeProtectedHeader(token);
      for (const { id, key } of this.#keys) {
        if (kid !== undefined && kid !== id) continue;
        const { payload } = await jwtVerify(token, key, { currentDate: new Date(this.#now()) });
        if (this.#verified.size > 10_000) this.#verified.clear();
        this.#verified.set(token, payload);
        return payload;
      }
    } catch {
      return undefined; // Malformed, wrongly signed or expired: all the same to the caller.
    }
    return undefined;
  }

  #userOf(payload: JWTPayload): UserInfo | undefined {
    const claims = payload['kubernetes.io'] as KubernetesClaims | undefined;
    if (claims?.serviceaccount === undefined) return undefined;
    const { namespace, serviceaccount, pod, node, secret } = claims;
    const exists = (found: DeepReadonly<KubeObject> | undefined, reference: Reference | undefined) =>
      reference === undefined || (found !== undefined && found.metadata.uid === reference.uid && !isGoing(found, this.#now()));
    if (!exists(this.#reader.find(serviceAccounts, { namespace, name: serviceaccount.name }), serviceaccount)) return undefined;
    if (pod !== undefined && !exists(this.#reader.find(pods, { namespace, name: pod.name }), pod)) return undefined;
    if (secret !== undefined && !exists(this.#reader.find(secrets, { namespace, name: secret.name }), secret)) return undefined;
    if (node !== undefined && pod === undefined && !exists(this.#reader.find(nodes, { name: node.name }), node)) return undefined;
    const extra: Record<string, string[]> = payload.jti === undefined ? {} : { [CREDENTIAL_ID]: [`JTI=${payload.jti}`] };
    if (node !== undefined) {
      extra[NODE_NAME] = [node.name];
      if (node.uid !== undefined) extra[NODE_UID] = [node.uid];
    }
    if (pod !== undefined) {
      extra[POD_NAME] = [pod.name];
      extra[POD_UID] = [pod.uid ?? ''];
    }
    return {
      name: serviceAccountUser(namespace, serviceaccount.name),
      uid: serviceaccount.uid ?? '',
      groups: [SERVICE_ACCOUNTS_GROUP, `${SERVICE_ACCOUNTS_GROUP}:${namespace}`, AUTHENTICATED_GROUP],
      extra,
    };
  }

  /** The public keys as `/openid/v1/jwks` serves them. */
  async jwks(): Promise<object> {
    const keys = await Promise.all(
      this.#keys.map(async ({ id, key }) => ({ use: 'sig', ...(await exportJWK(key)), kid: id, alg: signingAlgorithm(key) })),
    );
    return { keys };
  }

  get algorithms(): readonly string[] {
    return [...new Set(this.#keys.map(({ key }) => signingAlgorithm(key)))];
  }
}

/** Those that a token is for and that are asked about; why it is no good if there are none. */
export function sharedAudiences(
  of: readonly string[],
  asked: readonly string[],
): { readonly audiences: readonly string[] } | { readonly error: string } {
  const audiences = of.filter((audience) => asked.includes(audience));
  if (audiences.length > 0) return { audiences };
  const quoted = (list: readonly string[]) => `[${list.map((text) => JSON.stringify(text)).join(' ')}]`;
  return { error: `token audiences ${quoted(of)} is invalid for the target audiences ${quoted(asked)}` };
}

/** Tokens of an object that has been going for over a minute no longer count. @source upstream: 60 s of leeway */
function isGoing({ metadata }: DeepReadonly<KubeObject>, now: number): boolean {
  return metadata.deletionTimestamp !== undefined && Date.parse(metadata.deletionTimestamp) + 60_000 < now;
}

function referenceTo({ metadata }: DeepReadonly<KubeObject>): Reference {
  return { name: metadata.name, ...(metadata.uid === undefined ? {} : { uid: metadata.uid }) };
}
