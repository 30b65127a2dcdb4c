// Who is logged in here. The token is a cookie no script can read; what we keep is only whether it is worth asking.
import { computed, signal } from '@preact/signals';
import { ask, get, ProblemError, whenLoggedOut } from './client';
import type { PersonView } from './types';

const KEY = 'onelot.in';
const remembered = (): boolean => {
  try {
    return localStorage.getItem(KEY) === '1';
  } catch {
    return true;
  }
};
const remember = (inside: boolean): void => {
  try {
    if (inside) localStorage.setItem(KEY, '1');
    else localStorage.removeItem(KEY);
  } catch {
    // Then we ask each time.
  }
};

/** undefined: not known yet; null: nobody. */
export const me = signal<PersonView | null | undefined>(undefined);
export const has = (role: string): boolean => !!me.value?.roles.some((one) => one.role === role || one.role === 'admin');
export const isStaff = computed(() => has('staff'));
export const isOperator = computed(() => has('operator'));
export const isCity = computed(() => !!me.value?.roles.some((one) => one.role === 'admin' || (one.role === 'staff' && one.scope === 'transport')));

whenLoggedOut(() => {
  remember(false);
  me.value = null;
});

export async function findOut(): Promise<void> {
  if (!remembered()) {
    me.value = null;
    return;
  }
  try {
    me.value = await get<PersonView>('/api/v1/me');
  } catch (error) {
    if (!(error instanceof ProblemError)) setTimeout(findOut, 5000); // Nobody answered: who we are is still not known.
    else me.value = null;
  }
}

export const askCode = (phone: string): Promise<{ expires_s: number; retry_s: number }> => ask('POST', '/api/v1/auth/codes', { body: { phone } });

export async function logIn(phone: string, code: string): Promise<void> {
  const found = await ask<{ person: PersonView }>('POST', '/api/v1/auth/sessions', { body: { phone, code, client: 'page' } });
  remember(true);
  me.value = found.person;
}

export async function logOut(): Promise<void> {
  await ask('DELETE', '/api/v1/auth/sessions/current');
  remember(false);
  me.value = null;
}
