
// A second opinion on the shown run: further solutions vote, once, on request.
const vote = make("button", "sq-vote", { type: "button" });
const about_vote = make("p", "sq-vote-about");
const voting = make("div", "sq-second", {}, vote, about_vote);
part("answer").append(voting);
vote.onclick = () => {
  ask();
  leaveVote(); // a disabled button would drop the focus
  vote.disabled = true;
  trigger("expand", {});
};

function leaveVote() {
  if (voting.contains(document.activeElement)) root.querySelector(".sq-card")?.focus({ preventScroll: true });
}

function showVote() {
  const able = view().votable && !view().busy;
  if (!able) leaveVote();
  const goes_on = view().voting ? view().status : ""; // repeated here, as the status line may be far above
  voting.hidden = !able && !goes_on;
  vote.disabled = false;
  put(vote, able ? phrase("vote.button") : "");
  put(about_vote, able ? phrase("vote.about") : goes_on);
}

watch("value", showVote);
showVote();
