// One build, the same bytes everywhere: no source maps, no time, no host. See docs/howto/add-a-page.md.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

const HERE = dirname(fileURLToPath(import.meta.url));
const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');

/** The script that sets theme, language and type size before the first paint: outside of the bundle, since it must not wait for it. */
function boot(): Plugin {
  const source = readFileSync(join(HERE, 'src/boot.js'));
  const name = `assets/boot-${sha256(source).slice(0, 8)}.js`;
  let built = false;
  return {
    name: 'onelot-boot',
    configResolved: (config) => void (built = config.command === 'build'),
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: name, source });
    },
    transformIndexHtml: () => [{ tag: 'script', attrs: { src: built ? `/${name}` : '/src/boot.js' }, injectTo: 'head-prepend' }],
  };
}

/** The paths the server answers with index.html, those of the routes' tables and no other, each with the files its page begins with:
 *  the server names them beside the page, so that they are asked for at once and not one after the other. */
function routes(): Plugin {
  return {
    name: 'onelot-routes',
    generateBundle: { order: 'post', handler(_, bundle) { // After chunks that hold nothing but a style are gone.
      const chunks = Object.values(bundle).filter((one) => one.type === 'chunk');
      const reached = (name: string, seen = new Set<string>()): Set<string> => {
        const chunk = bundle[name];
        if (chunk?.type === 'chunk' && !seen.has(name)) for (const more of (seen.add(name), chunk.imports)) reached(more, seen);
        return seen;
      };
      const first = reached(chunks.find((one) => one.isEntry && one.name === 'index')!.fileName), said: Record<string, string[]> = {};
      for (const table of readdirSync(join(HERE, 'src/pages'), { recursive: true }).map(String).filter((name) => name.endsWith('routes.ts'))) {
        const file = join(HERE, 'src/pages', table), text = readFileSync(file, 'utf8');
        const named = new Map([...text.matchAll(/const (\w+) = \(\) => import\('([^']+)'\)/g)].map((hit) => [hit[1]!, hit[2]!]));
        for (const hit of text.matchAll(/path: '([^']+)', load: (?:\(\) => import\('([^']+)'\)|(\w+))/g)) {
          const module = join(dirname(file), (hit[2] ?? named.get(hit[3]!))!) + '.tsx';
          const chunk = chunks.find((one) => Object.keys(one.modules).includes(module))!;
          const names = [...reached(chunk.fileName)].filter((name) => !first.has(name));
          const styles = names.flatMap((name) => [...((bundle[name] as { viteMetadata?: { importedCss: Set<string> } }).viteMetadata?.importedCss ?? [])]);
          said[hit[1]!] = [...names, ...new Set(styles)].sort();
        }
      }
      this.emitFile({ type: 'asset', fileName: 'routes.json', source: JSON.stringify(Object.fromEntries(Object.entries(said).sort()), null, 1) + '\n' });
    } },
  };
}

/** What the build was made of: a test in Python says within milliseconds whether dist is stale. */
function source(): Plugin {
  return {
    name: 'onelot-source',
    generateBundle() {
      const inside = readdirSync(join(HERE, 'src'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      const found = inside.map((entry) => join(entry.parentPath, entry.name).slice(HERE.length + 1).split(sep).join('/'));
      const files = found.filter((name) => name !== 'src/api/types.ts'); // Types leave nothing behind.
      files.push('index.html', 'package.json', 'package-lock.json', 'tsconfig.json', 'vite.config.ts');
      const lines = files.sort().map((name) => `${name} ${sha256(readFileSync(join(HERE, name)))}\n`);
      this.emitFile({ type: 'asset', fileName: 'SOURCE', source: sha256(lines.join('')) + '\n' });
    },
  };
}

/** Who made what we ship, in their own words. */
function licences(): Plugin {
  return {
    name: 'onelot-licences',
    generateBundle(_, bundle) {
      const homes = new Set<string>();
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk') continue;
        for (const id of Object.keys(chunk.modules)) {
          const at = id.lastIndexOf('/node_modules/');
          if (at < 0) continue;
          const parts = id.slice(at + '/node_modules/'.length).split('/');
          homes.add(id.slice(0, at) + '/node_modules/' + parts.slice(0, parts[0]!.startsWith('@') ? 2 : 1).join('/'));
        }
      }
      const texts = [...homes].sort().map((home) => {
        const about = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
        const file = readdirSync(home).sort().find((name) => /^licen[cs]e/i.test(name) && existsSync(join(home, name)));
        return `${about.name} ${about.version} (${about.license})\n\n${file ? readFileSync(join(home, file), 'utf8').trim() : ''}\n`;
      });
      this.emitFile({ type: 'asset', fileName: 'LICENSES.txt', source: texts.join('\n' + '-'.repeat(80) + '\n\n') });
    },
  };
}

export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  plugins: [boot(), routes(), source(), licences()],
  build: {
    target: 'es2022', sourcemap: false, assetsInlineLimit: 0, chunkSizeWarningLimit: 1200, modulePreload: { polyfill: false },
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: 'base', test: /src\/(map\/sites|i18n\/driver|api\/use|kit\/(controls|count|money|plate|sheet)|pages\/driver\/(board|filters|home|lines|my_plate|search|site_name|site_sheet|trip|trip_dialog|hand_off))\b/ }, { name: 'maplibre', test: /node_modules\/(maplibre-gl|@maplibre|@mapbox|pmtiles|fflate|earcut|gl-matrix|kdbush|murmurhash-js|pbf|potpack|quickselect|tinyqueue)\// }] } } },
  }, // MapLibre in a file of its own that changes only with its version; the first page in one, since each file costs a slow phone a way.
  server: { proxy: { '^/(api|basemap|healthz|readyz|docs|problems|openapi.json)': { target: 'http://127.0.0.1:8080', ws: true } } },
});
