// SPDX-License-Identifier: Apache-2.0
// How the kubelet's parts record events: the client's recorder, narrowed to what they say.
import type { EventRecorder as ClientRecorder, EventSubject, EventType } from '#client';

export interface EventRecorder {
  /** @param fieldPath The part meant, `spec.containers{web}`. */
  event(subject: EventSubject, type: EventType, reason: string, message: string, fieldPath?: string): void;
}

export const noEvents: EventRecorder = { event: () => {} };

export function recorderOf(recorder: ClientRecorder): EventRecorder {
  return {
    event(subject, type, reason, message, fieldPath) {
      recorder.event(subject, type, reason, message.slice(0, 1024), fieldPath === undefined ? {} : { fieldPath });
    },
  };
}
