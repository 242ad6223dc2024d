// SPDX-License-Identifier: Apache-2.0
// Writes what type checking finds into the status of each ValidatingAdmissionPolicy, once per generation. Upstream runs it in the
// controller manager (validatingadmissionpolicy-status-controller); here whoever runs both runs it with the server, which has the
// types of expressions: a controller manager by itself leaves the status alone.
import { findResource, findSchema, validatingadmissionpolicies } from '#api';
import type { JSONSchemaProps } from '#api/apiextensions/v1';
import type { Client } from '#client';
import type { Clock, Logger } from '#component';
import { isConflict, isNotFound, type Resource, type StructSchema } from '#machinery';
import type { Cacher } from '../../cacher/cacher.ts';
import { followChanges } from '../../cacher/follow-changes.ts';
import type { CelType } from '../../cel/mod.ts';
import type { CustomResources, ServedVersion } from '../../crd/mod.ts';
import { prefixOf } from '../../registry/generic/keys.ts';
import type { ObjectReader } from '../../registry/strategy.ts';
import type { ValidatingPolicy } from './compiled-policy.ts';
import type { Cel } from './environment.ts';
import { checkTypes, type TypeSource } from './type-checking.ts';

export interface TypeCheckingOptions {
  readonly cacher: Cacher;
  readonly reader: ObjectReader;
  readonly custom: CustomResources;
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Runs until `signal`. Loads CEL with the first policy. */
export function runTypeChecking(options: TypeCheckingOptions, signal: AbortSignal): Promise<void> {
  const { cacher, reader, clock, logger } = options;
  const cache = () => cacher.cache(prefixOf(validatingadmissionpolicies as Resource)).generation;
  let seen = -1;
  return followChanges(
    {
      onProgress: (run) => cacher.onProgress(run),
      clock,
      changed: () => {
        const now = cache();
        if (now === seen) return false;
        seen = now;
        return true;
      },
      async reconcile() {
        const stale = reader
          .list(validatingadmissionpolicies)
          .filter(({ metadata, status }) => status?.observedGeneration !== metadata.generation);
        if (stale.length === 0) return;
        const cel = await import('../../cel/mod.ts');
        for (const policy of stale) await writeStatus(options, policy as ValidatingPolicy, cel);
      },
      failed: (error) => logger.warn({ error: String(error) }, 'Policy status could not be written'),
    },
    signal,
  );
}

async function writeStatus({ client, custom }: TypeCheckingOptions, policy: ValidatingPolicy, cel: Cel): Promise<void> {
  const { name = '', generation } = policy.metadata;
  const expressionWarnings = checkTypes(policy, typesOf(custom, cel), cel);
  const typeChecking = expressionWarnings.length === 0 ? {} : { expressionWarnings };
  const status = { observedGeneration: generation, typeChecking };
  const gone = (error: unknown) => {
    // Changed or deleted meanwhile: the next look sees to it.
    if (!isConflict(error) && !isNotFound(error)) throw error;
  };
  await client.patch(validatingadmissionpolicies, { name }, 'merge', { status }, { subresource: 'status' }).catch(gone);
}

function typesOf(custom: CustomResources, cel: Cel): TypeSource {
  const customOf = (group: string, version: string) =>
    [...custom.definitions()]
      .flatMap(({ versions }) => versions.map(({ served }) => served))
      .filter(({ resource }) => resource.group === group && resource.version === version);
  return {
    kindsOf(group, version, resource) {
      const found =
        findResource(group, version, resource) ??
        customOf(group, version).find((served) => served.resource.resource === resource)?.resource;
      return found === undefined ? [] : [{ group, version, kind: found.kind }];
    },
    typeOf(kind) {
      const schema = findSchema(kind);
      if (schema !== undefined) return cel.typeOfStruct(schema);
      const own = [...custom.definitions()].flatMap(({ versions }) => versions);
      const found = own.find(
        ({ resource: { group, version, kind: name } }) => group === kind.group && version === kind.version && name === kind.kind,
      );
      return found === undefined ? undefined : customType(found.props, found.served.schema, cel);
    },
  };
}

/** As OpenAPI shows a custom resource: its own schema, with the metadata of every object. */
function customType(props: ServedVersion['props'], { byName }: StructSchema, cel: Cel): CelType {
  const type = cel.typeOfSchema(props as JSONSchemaProps, { isResourceRoot: true });
  const meta = byName.get('metadata')?.schema;
  if (type.kind !== 'object' || meta?.kind !== 'struct') return type;
  return { ...type, fields: new Map([...type.fields, ['metadata', cel.typeOfStruct(meta)]]) };
}
