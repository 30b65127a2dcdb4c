// Where one is logged in, and the way to end it: everywhere within a second.
import { ask } from '../../api/client';
import { logOut } from '../../api/session';
import type { LogInView } from '../../api/types';
import { moment, t } from '../../i18n/services';
import { t as shell } from '../../i18n/shell';
import { ActButton } from '../../kit/controls';
import { say, Trouble, Waiting, wordsOf } from '../../kit/say';
import { Pill } from '../../kit/status';
import { PageHead } from '../../shell';
import { usePages } from './parts';

export default function Sessions() {
  const { items, error, again, more } = usePages<LogInView>('/api/v1/auth/sessions', { limit: 50 });
  const end = async (what: () => Promise<unknown>, said: string) => {
    try {
      await what();
      say(said);
      again();
    } catch (problem) {
      say(wordsOf(problem));
    }
  };
  return (
    <main id="main" class="page">
      <PageHead title={t('sessions.title')} back="/me" />
      <div class="wrap narrow">
        <p class="meta">{t('sessions.intro')}</p>
        {error && !items ? <Trouble error={error} again={again} /> : !items ? <Waiting /> : (
          <ul class="card rows">
            {items.map((one) => (
              <li key={one.id} class="row sessionrow">
                <span class="grow"><b>{one.what || t('sessions.unknown')}</b><span class="meta">{t('sessions.seen', { seen: moment(one.seen_at), since: moment(one.created_at) })}</span></span>
                {one.current ? <Pill tone="ok">{t('sessions.here')}</Pill> : <ActButton act={() => end(() => ask('DELETE', `/api/v1/auth/sessions/${one.id}`), t('sessions.ended'))} kind="" class="s">{t('sessions.end')}<span class="sr"> {one.what}</span></ActButton>}
              </li>
            ))}
          </ul>
        )}
        {more && <ActButton act={more} kind="">{shell('more')}</ActButton>}
        <div class="line flow">
          {items && items.length > 1 && <ActButton act={() => end(() => ask('DELETE', '/api/v1/auth/sessions'), t('sessions.ended.all'))} kind="bad">{t('sessions.end.all')}</ActButton>}
          <ActButton act={logOut} kind="">{t('sessions.out')}</ActButton>
        </div>
      </div>
    </main>
  );
}
