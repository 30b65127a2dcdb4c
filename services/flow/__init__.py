"""Case flow: BPMN files, proved before they are published, replayed from the steps of each case."""
