// The licence that a case ended in, for staff of the agency that issued it: what it is worth today, and the way to revoke it.
import { useState } from 'preact/hooks';
import { ask } from '../../api/client';
import type { LicenceView } from '../../api/types';
import { useGet } from '../../api/use';
import { named } from '../../i18n';
import { date, t as services } from '../../i18n/services';
import { t } from '../../i18n/staff';
import { ActButton } from '../../kit/controls';
import { say, Trouble } from '../../kit/say';
import { Light } from '../../kit/status';
import { ConfirmDialog } from '../services/confirm';

const REASONS = ['moved_away', 'issued_in_error', 'misused', 'holder_asked'] as const;
type Reason = (typeof REASONS)[number];

export function HeldLicence({ id }: { id: string }) {
  const found = useGet<LicenceView>(`/api/v1/services/licences/${id}`), one = found.data;
  const [reason, setReason] = useState<Reason>('moved_away'), [asking, setAsking] = useState(false), [error, setError] = useState<unknown>(null);
  const revoke = async () => {
    setAsking(false);
    try {
      found.set(await ask<LicenceView>('POST', `/api/v1/services/licences/${id}/revocation`, { body: { reason } }));
      setError(null);
      say(t('revoke.done'));
    } catch (problem) {
      setError(problem);
    }
  };
  if (!one) return found.error ? <Trouble error={found.error} again={found.again} /> : null;
  const held = one.state !== 'revoked' && one.state !== 'expired';
  return (
    <section class="held">
      <h3>{t('licence')}</h3>
      <p class="line flow"><b>{named(one.name)}</b><Light tone={one.state === 'valid' ? 'ok' : 'bad'}>{services(`licence.${one.state}`)}</Light><span class="fine">{date(one.valid_from)} – {date(one.valid_to)}</span></p>
      {one.revoked && <p class="c-2">{services('licence.why', { why: named(one.revoked.text), when: one.revoked_at ? date(one.revoked_at) : '' })}</p>}
      {error ? <Trouble error={error} /> : null}
      {held && (
        <div class="line flow">
          <label class="sr" for="revoke">{t('revoke.why')}</label>
          <select id="revoke" class="input s" value={reason} onChange={(event) => setReason(event.currentTarget.value as Reason)}>
            {REASONS.map((word) => <option key={word} value={word}>{t(`revoke.${word}`)}</option>)}
          </select>
          <ActButton act={async () => setAsking(true)} kind="" class="s">{t('licence.revoke')}</ActButton>
        </div>
      )}
      {asking && <ConfirmDialog title={t('revoke.title')} yes={t('revoke.yes')} no={t('no.leave')} bad onYes={revoke} onNo={() => setAsking(false)}>{t('revoke.line')}</ConfirmDialog>}
    </section>
  );
}
