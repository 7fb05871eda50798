//! Resources and scopes of a checked batch.

use super::Common;
use crate::batch;
use crate::decode::fill::copy::{self, Memo};

impl Common {
    pub(in crate::decode::fill) fn copy(&mut self, from: &batch::Common<'_>, rows: usize, memo: &mut Memo) {
        let [service, attributes, url, entities] = &mut self.resource.texts;
        copy::dictionary(memo, service, &from.resource_attributes, rows, |to, resource| {
            batch::service_name(resource).map(|name| to.key(&name))
        });
        copy::texts(memo, attributes, &from.resource_attributes, rows);
        copy::texts(memo, url, &from.resource_schema_url, rows);
        copy::dictionary(memo, entities, &from.resource_entity_refs, rows, |to, refs| {
            (!batch::is_empty(refs)).then(|| to.key(refs))
        });
        copy::counters(&mut self.resource.dropped, &from.resource_dropped, 0..rows);
        let [name, version, attributes, url] = &mut self.scope.texts;
        copy::texts(memo, name, &from.scope_name, rows);
        copy::texts(memo, version, &from.scope_version, rows);
        copy::texts(memo, attributes, &from.scope_attributes, rows);
        copy::texts(memo, url, &from.scope_schema_url, rows);
        copy::counters(&mut self.scope.dropped, &from.scope_dropped, 0..rows);
    }
}
