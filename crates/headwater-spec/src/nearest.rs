//! Finds the word that somebody probably meant.

/// The known word nearest to `word`, when one is near enough to be meant: a third of its letters may be wrong.
///
/// Case and the choice between `-` and `_` do not count as wrong. Of two that are equally near the first one wins.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let folded = fold(word);
    known
        .into_iter()
        .map(|candidate| {
            let candidate_folded = fold(candidate);
            let letters = folded.chars().count().max(candidate_folded.chars().count());
            (strsim::damerau_levenshtein(&folded, &candidate_folded), letters, candidate)
        })
        .filter(|(wrong, letters, _)| *wrong <= (letters / 3).max(1))
        .min_by_key(|(wrong, ..)| *wrong)
        .map(|(.., candidate)| candidate)
}

fn fold(word: &str) -> String {
    word.to_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests;
