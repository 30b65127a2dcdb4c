// Oneself: who is logged in, and how the page should look.
import { logOut, me } from '../../api/session';
import { choice, choose } from '../../choice';
import { t } from '../../i18n/driver';
import { t as shell } from '../../i18n/shell';
import { ActButton, Segmented } from '../../kit/controls';
import { PageHead } from '../../shell';
import { t as services } from '../../i18n/services';
import { LinkRow } from '../services/parts';
import { More } from './car';

export default function Me() {
  const person = me.value;
  const { lang, theme, type } = choice.value;
  return (
    <main id="main" class="page">
      <PageHead title={t('me.title')} />
      <div class="wrap narrow">
        {person ? (
          <section class="card sec stack">
            <p class="lead strong">{person.phone}</p>
            <p class="meta">{t('me.level', { level: person.level })}</p>
            <div><ActButton act={logOut} kind="">{t('me.logout')}</ActButton></div>
          </section>
        ) : (
          <section class="card sec stack"><p class="meta">{t('login.why')}</p><a class="btn go block" href="/login?then=/me">{shell('login')}</a></section>
        )}
        {person && <More />}
        {person && (
          <section class="card rows">
            <LinkRow href="/me/accesses" icon="eye" title={services('looks.title')}>{services('looks.line')}</LinkRow>
            <LinkRow href="/me/sessions" icon="lock" title={services('sessions.title')}>{services('sessions.line')}</LinkRow>
          </section>
        )}
        <section class="card sec stack">
          <h2>{t('me.language')}</h2>
          <Segmented label={t('me.language')} value={lang} options={[{ value: 'zh', text: '中文' }, { value: 'en', text: 'English' }]} onChange={(value) => choose({ lang: value })} />
          <h2>{shell('theme')}</h2>
          <Segmented label={shell('theme')} value={theme} onChange={(value) => choose({ theme: value })}
            options={[{ value: 'system', text: shell('theme.system') }, { value: 'light', text: shell('theme.light') }, { value: 'dark', text: shell('theme.dark') }]} />
          <h2>{t('me.type')}</h2>
          <Segmented label={t('me.type')} value={type} onChange={(value) => choose({ type: value })}
            options={[{ value: 'normal', text: t('me.type.normal') }, { value: 'large', text: t('me.type.large') }]} />
        </section>
      </div>
    </main>
  );
}
